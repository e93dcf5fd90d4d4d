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
  /** `identity` if the service answered. */
  running: Identity | undefined;
  file: Environment | undefined;
  /** The hops it will run with: those of its file, else those it runs with. */
  hops: number | undefined;
  /** The right number at this point of the rollout; undefined if unknown. */
  expectedHops: number | undefined;
  /** The right number once everything is rolled out, from the topology. */
  topologyHops: number;
  /** The failure mode that its file sets. */
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

/** Collects what each service runs with now, and what its file will make it run with. */
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

/** Unset is 0. Undefined for text that is no integer, which the configuration reader reports. */
function readHops(text: string | undefined): number | undefined {
  const hops = Number(text?.trim() || "0");
  return Number.isInteger(hops) ? hops : undefined;
}

/** The failure mode that a service would have with this file. */
export function plannedMode(name: ServiceName, file: Environment): string {
  const variable = FAILURE_MODE_VARIABLE[name];
  return (variable === undefined ? undefined : file[variable]?.trim()) || "fail-closed";
}
