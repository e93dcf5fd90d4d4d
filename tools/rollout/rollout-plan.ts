import { createHash } from "node:crypto";
import { isDuration, isText, listOf, mapOf, mapWith } from "./form.ts";
import type { RolloutConfig } from "./rollout-config.ts";
import { CHANGES, type Change } from "./rollout-state.ts";

/**
 * What is run, and where. It comes from the operator's file alone, and goes to the dead-man timer
 * through a pipe: nothing that lies in the state directory is ever run.
 */
export type RolloutPlan = {
  /** Where commands run. */
  directory: string;
  commandSeconds: number;
  /** Files whose secrets must not reach the evidence. */
  envFiles: readonly string[];
  /** How to take each change back. */
  rollbacks: Readonly<Partial<Record<Change, string>>>;
};

export const isRolloutPlan = mapWith<RolloutPlan>({
  directory: isText,
  commandSeconds: isDuration,
  envFiles: listOf(isText),
  rollbacks: mapOf(CHANGES, isText),
});

export function planFrom(config: RolloutConfig): RolloutPlan {
  const { auth, limiter, gateway } = config.services;
  const { proxy, api } = config.stages;
  return {
    directory: config.directory,
    commandSeconds: config.commandSeconds,
    envFiles: [auth, limiter, gateway].flatMap(({ envFile }) => envFile ?? []),
    rollbacks: {
      proxy: proxy.rollback,
      limiter: api.limiter.rollback,
      auth: api.auth.rollback,
      gateway: config.stages.gateway.rollback,
    },
  };
}

/** Tells one command from another without saying what it is. */
export function digestOf(command: string): string {
  return `sha256:${createHash("sha256").update(command).digest("hex")}`;
}
