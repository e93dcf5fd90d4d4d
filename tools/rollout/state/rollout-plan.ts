import { createHash } from "node:crypto";
import * as z from "zod";
import type { RolloutConfig } from "../settings/rollout-config.ts";
import type { SnapshotSource } from "./identity-snapshot.ts";
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
  /** Who acts, or armed the timer that does. */
  who: string;
  /** The command that is told how a rollback went. */
  notify?: string | undefined;
  /** The services that are asked whether everything is as it was. */
  source: SnapshotSource;
};

const serviceSchema = z.object({ url: z.string(), envFile: z.string().optional() });

const sourceSchema: z.ZodType<SnapshotSource> = z.object({
  operatorTokenEnv: z.string(),
  services: z.object({ auth: serviceSchema, limiter: serviceSchema, gateway: serviceSchema }),
  doors: z.object({ authAdmin: z.string(), gatewayRpc: z.string() }),
});

export const rolloutPlanSchema: z.ZodType<RolloutPlan> = z.object({
  directory: z.string(),
  commandSeconds: z.number().min(0),
  envFiles: z.array(z.string()),
  rollbacks: z.partialRecord(z.enum(CHANGES), z.string()),
  who: z.string(),
  notify: z.string().optional(),
  source: sourceSchema,
});

export function planFrom(config: RolloutConfig, who: string): RolloutPlan {
  const { proxy, api } = config.stages;
  const { services, doors, operatorTokenEnv, notify } = config;
  return {
    directory: config.directory,
    commandSeconds: config.commandSeconds,
    envFiles: envFilesOf(config),
    rollbacks: {
      proxy: proxy.rollback,
      limiter: api.limiter.rollback,
      auth: api.auth.rollback,
      gateway: config.stages.gateway.rollback,
    },
    who,
    notify,
    source: { services, doors, operatorTokenEnv },
  };
}

/** Files whose secrets must not reach the evidence. */
export function envFilesOf({ services }: Pick<RolloutConfig, "services">): readonly string[] {
  const { auth, limiter, gateway } = services;
  return [auth, limiter, gateway].flatMap(({ envFile }) => envFile ?? []);
}

/** Tells one command from another without revealing either. */
export function digestOf(command: string): string {
  return `sha256:${createHash("sha256").update(command).digest("hex")}`;
}
