import type { Environment } from "../../../services/runtime/env.ts";
import { askIdentity, type Identity, type IdentityAnswer } from "../../edge/probe/ask-identity.ts";
import { type Deployment, hopsOf, type ServiceName } from "../../edge/probe/deployment.ts";
import type { EnvironmentFiles } from "../settings/environment-files.ts";
import { ROLLOUT_SERVICES } from "../settings/rollout-config.ts";

/** What is known about the configuration of one service. */
export type ServiceFacts = {
  name: ServiceName;
  /** What it says about itself now. */
  identity: IdentityAnswer;
  /** The same where it answers. */
  running: Identity | undefined;
  file: Environment | undefined;
  /** The hops it will run with: those of its file, else those it runs with. */
  hops: number | undefined;
  /** The hops that are right at this moment; undefined while nobody knows. */
  expectedHops: number | undefined;
  /** The hops that its topology has once everything is rolled out. */
  topologyHops: number;
  /** What its file says. */
  plannedMode: string | undefined;
};

const HOPS_VARIABLE: Readonly<Record<ServiceName, string>> = {
  auth: "API_TRUST_PROXY_HOPS",
  limiter: "API_TRUST_PROXY_HOPS",
  gateway: "REALTIME_TRUST_PROXY_HOPS",
};

const FAILURE_MODE_VARIABLE: Readonly<Record<ServiceName, string | undefined>> = {
  auth: "SECURITY_LIMITER_FAILURE_MODE",
  limiter: undefined,
  gateway: "REALTIME_LIMITER_FAILURE_MODE",
};

/** Collects what the files say and what runs; a file says what will run. */
export async function gatherFacts(
  deployment: Deployment,
  files: EnvironmentFiles,
): Promise<ServiceFacts[]> {
  return await Promise.all(
    ROLLOUT_SERVICES.map(async (name): Promise<ServiceFacts> => {
      const identity = await askIdentity(deployment, name);
      const file = files[name];
      const running = identity.kind === "identity" ? identity : undefined;
      return {
        name,
        identity,
        running,
        file,
        hops: file === undefined ? running?.hops : readHops(file[HOPS_VARIABLE[name]]),
        expectedHops: deployment.expectedHops?.[name],
        topologyHops: hopsOf(deployment),
        plannedMode: file && plannedMode(name, file),
      };
    }),
  );
}

/** Unset is 0; what is no number is for the reader of the configuration to name. */
function readHops(text: string | undefined): number | undefined {
  const hops = Number(text?.trim() || "0");
  return Number.isInteger(hops) ? hops : undefined;
}

/** What a service does without a decision, by its file. */
export function plannedMode(name: ServiceName, file: Environment): string {
  const variable = FAILURE_MODE_VARIABLE[name];
  return (variable === undefined ? undefined : file[variable]?.trim()) || "fail-closed";
}
