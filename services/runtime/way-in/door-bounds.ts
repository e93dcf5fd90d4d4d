import type { ConnectionBounds } from "./connection-caps.ts";
import { readDescriptorLimit } from "./descriptor-limit.ts";
import type { InFlightBounds } from "./in-flight.ts";

/** Bytes of a request's head. Proxies in front of us accept about as much. */
export const HEAD_BYTES_MAX = 16_384;
/** Header lines. An honest request has about thirty, and each proxy may add one. */
export const HEAD_LINES_MAX = 200;
/** How long a client may take to send its head: one round trip on a slow phone. */
export const HEAD_TIMEOUT_MS = 5_000;
/** How long a client may take to send its body after the head. */
export const BODY_TIMEOUT_MS = 5_000;
/** How often unfinished heads are checked. */
export const HEAD_CHECK_MS = 500;
/** A client that neither reads nor writes for this long is gone. */
export const STALLED_TIMEOUT_MS = 30_000;

/** Which clients can reach a door. It sets the door's share of the process's descriptors. */
export type DoorKind = "public" | "internal";

/** Of all descriptors; sockets to the database and to services, files and timers need the rest. */
const DESCRIPTOR_SHARE: Readonly<Record<DoorKind, number>> = { public: 0.6, internal: 0.2 };
/** With more connections, each would get too little of the process. */
const CONNECTIONS_MAX = 8_192;
/** Of all connections, for one address; a quarter leaves room for other clients. */
const ADDRESS_SHARE = 0.25;
/** How often a stranger must open a new connection. */
const CONNECTION_AGE_MAX_MS = 10 * 60_000;

/** The connection bounds of a door, within the descriptor limit of this process. */
export function connectionBounds(
  kind: DoorKind,
  descriptors = readDescriptorLimit(),
): ConnectionBounds {
  const max = Math.min(CONNECTIONS_MAX, Math.floor(descriptors * DESCRIPTOR_SHARE[kind]));
  const perAddressMax = Math.max(1, Math.floor(max * ADDRESS_SHARE));
  return { max, perAddressMax, ageMaxMs: CONNECTION_AGE_MAX_MS };
}

/**
 * More than a process can answer while callers wait. `perAddressMax` lets four people behind one
 * address open a page of fifty streams each at once.
 */
export const IN_FLIGHT: InFlightBounds = {
  max: 4_096,
  strangersMax: 1_024,
  perAddressMax: 256,
  perCallerMax: 2_048,
};

/** Memory for all bodies of a door that are being read or handled. */
export const BODIES_BYTES_MAX = 256 * 1024 * 1024;
