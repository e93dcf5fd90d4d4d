import type { Secret } from "../../../services/runtime/secret.ts";
import type { RolloutServiceName, RolloutTopology } from "../rollout-config.ts";

export type ServiceName = RolloutServiceName;

/** The services that the edge forwards to. */
export type PublicServiceName = "auth" | "gateway";
export const PUBLIC_SERVICES: readonly PublicServiceName[] = ["auth", "gateway"];

/** Where a deployment is reached, and how its operator identifies himself. */
export type Deployment = {
  edgeUrl: string;
  topology: RolloutTopology;
  /** The direct addresses. */
  services: Readonly<Record<ServiceName, string>>;
  /** Without one most of what is only said to the operator cannot be known. */
  operatorToken: Secret | undefined;
  /** How many hops each service shall trust now; what fits the topology unless it says otherwise. */
  expectedHops?: Partial<Readonly<Record<ServiceName, number>>> | undefined;
  signal?: AbortSignal | undefined;
};
