import { PRIVATE_PORTS } from "../edge-policy.ts";

/** The doors that services and operators alone use, beside the one of each service. */
export type InnerDoor = "authAdmin" | "gatewayRpc";

export const INNER_DOORS = {
  authAdmin: { service: "auth", variable: "AUTH_ADMIN_PORT" },
  gatewayRpc: { service: "gateway", variable: "GATEWAY_RPC_PORT" },
} as const satisfies Record<InnerDoor, { service: string; variable: keyof typeof PRIVATE_PORTS }>;

const PORT_MAX = 65_535;

/**
 * Where an inner door is when nobody says so: on the machine of its service, at the port that the
 * service's environment file names, or else at the usual one.
 */
export function innerDoorUrl(door: InnerDoor, serviceUrl: string, namedPort?: string): string {
  if (!URL.canParse(serviceUrl)) return "";
  const named = Number(namedPort?.trim() || Number.NaN);
  const isPort = Number.isInteger(named) && named > 0 && named <= PORT_MAX;
  const url = new URL(serviceUrl);
  url.port = String(isPort ? named : PRIVATE_PORTS[INNER_DOORS[door].variable]);
  return url.origin;
}
