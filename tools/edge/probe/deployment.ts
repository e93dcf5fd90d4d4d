import type { Secret } from "../../../services/runtime/secret.ts";
import type { Topology } from "../edge-config.ts";
import { HOPS } from "../edge-policy.ts";
import { INNER_DOORS, type InnerDoor, innerDoorUrl } from "./inner-doors.ts";

/** The services of a deployment. */
export type ServiceName = "auth" | "limiter" | "gateway";

/** The services that the edge forwards to. */
export type PublicServiceName = "auth" | "gateway";
export const PUBLIC_SERVICES: readonly PublicServiceName[] = ["auth", "gateway"];

/** Where a deployment is reached, and how its operator identifies himself. */
export type Deployment = {
  edgeUrl: string;
  topology: Topology;
  /** What stands in front, and how many entries it writes; what fits the topology when absent. */
  front?: { name: string; hops: number; standsAlone: boolean } | undefined;
  /** The direct addresses; an inner door that is not named is at its usual port. */
  services: Readonly<Record<ServiceName, string> & Partial<Record<InnerDoor, string>>>;
  /** Without one most of what is only said to the operator cannot be known. */
  operatorToken: Secret | undefined;
  /** How many hops each service shall trust now; what fits the topology unless it says otherwise. */
  expectedHops?: Partial<Readonly<Record<ServiceName, number>>> | undefined;
  signal?: AbortSignal | undefined;
};

/** A place at which a service answers. */
export type Door = ServiceName | InnerDoor;

/** Where a door is. */
export function doorUrl({ services }: Pick<Deployment, "services">, door: Door): string {
  if (door !== "authAdmin" && door !== "gatewayRpc") return services[door];
  return services[door] ?? innerDoorUrl(door, services[INNER_DOORS[door].service]);
}

/** How many entries the proxies in front write. */
export function hopsOf({ topology, front }: Pick<Deployment, "topology" | "front">): number {
  return front?.hops ?? HOPS[topology];
}
