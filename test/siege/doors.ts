import type { ServiceUrls } from "../fixtures/services.ts";

/** Every port that an attacker can reach. */
export type DoorName = "auth" | "authAdmin" | "limiter" | "gateway" | "gatewayRpc";

export const DOOR_NAMES: readonly DoorName[] = [
  "auth",
  "authAdmin",
  "limiter",
  "gateway",
  "gatewayRpc",
];

export type Doors = Readonly<Record<DoorName, string>>;

export function doorsOf(urls: ServiceUrls): Doors {
  return urls;
}
