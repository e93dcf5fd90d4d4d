import type { Secret } from "../../../services/runtime/secret.ts";
import type { Topology } from "../edge-config.ts";
import { HOPS } from "../edge-policy.ts";
import { INNER_DOORS, type InnerDoor, innerDoorUrl } from "./inner-doors.ts";

/** The services of a deployment. */
export type ServiceName = "auth" | "limiter" | "gateway";

/** The services that the edge forwards to. */
export type PublicServiceName = "auth" | "gateway";
export const PUBLIC_SERVICES: readonly PublicServiceName[] = ["auth", "gateway"];

/** The addresses of a deployment, and its operator's token. */
export type Deployment = {
  edgeUrl: string;
  topology: Topology;
  /** The proxies in front and how many entries they write; derived from the topology if absent. */
  front?: { name: string; hops: number; standsAlone: boolean } | undefined;
  /** Direct addresses; an inner door without one is at its default port. */
  services: Readonly<Record<ServiceName, string> & Partial<Record<InnerDoor, string>>>;
  /** Without it, checks that ask the services are inconclusive. */
  operatorToken: Secret | undefined;
  /** Hops that each service should trust at this point of the rollout; absent if unknown. */
  expectedHops?: Partial<Readonly<Record<ServiceName, number>>> | undefined;
  signal?: AbortSignal | undefined;
};

/** A listener of a service. */
export type Door = ServiceName | InnerDoor;

export function doorUrl({ services }: Pick<Deployment, "services">, door: Door): string {
  if (door !== "authAdmin" && door !== "gatewayRpc") return services[door];
  return services[door] ?? innerDoorUrl(door, services[INNER_DOORS[door].service]);
}

/** How many entries the proxies in front write. */
export function hopsOf({ topology, front }: Pick<Deployment, "topology" | "front">): number {
  return front?.hops ?? HOPS[topology];
}
