import type { ConnectionBounds } from "./connection-caps.ts";
import { readDescriptorLimit } from "./descriptor-limit.ts";
import type { InFlightBounds } from "./in-flight.ts";

/** A head in bytes; proxies in front of us take about as much. */
export const HEAD_BYTES_MAX = 16_384;
/** Header lines; an honest request has about thirty, and each proxy may add one. */
export const HEAD_LINES_MAX = 200;
/** How long a client may take for its head: one round trip and a slow phone. */
export const HEAD_TIMEOUT_MS = 5_000;
/** How long a client may take for its body once the head is there. */
export const BODY_TIMEOUT_MS = 5_000;
/** How often unfinished heads are looked at. */
export const HEAD_CHECK_MS = 500;
/** A client that neither reads nor writes for this long is gone. */
export const STALLED_TIMEOUT_MS = 30_000;

/** Who can reach a door, and so how much of the process's descriptors it may use. */
export type DoorKind = "public" | "internal";

/** Sockets to the database and to other services, files and timers need descriptors too. */
const DESCRIPTOR_SHARE: Readonly<Record<DoorKind, number>> = { public: 0.6, internal: 0.2 };
/** More connections than this would each get too little of one process. */
const CONNECTIONS_MAX = 8_192;
/** Of all connections; a quarter leaves room for everybody else. */
const ADDRESS_SHARE = 0.25;
/** A client that stays is asked to connect again now and then. */
const CONNECTION_AGE_MAX_MS = 10 * 60_000;

/** The connections of a door, within what the system gives this process. */
export function connectionBounds(
  kind: DoorKind,
  descriptors = readDescriptorLimit(),
): ConnectionBounds {
  const max = Math.min(CONNECTIONS_MAX, Math.floor(descriptors * DESCRIPTOR_SHARE[kind]));
  const perAddressMax = Math.max(1, Math.floor(max * ADDRESS_SHARE));
  return { max, perAddressMax, ageMaxMs: CONNECTION_AGE_MAX_MS };
}

/**
 * More than a process can answer within the time that callers wait. Behind one address four people
 * can open their pages at once, with a request for each of fifty streams.
 */
export const IN_FLIGHT: InFlightBounds = {
  max: 4_096,
  strangersMax: 1_024,
  perAddressMax: 256,
  perCallerMax: 2_048,
};

/** What all bodies of a door that are being read or answered may take together. */
export const BODIES_BYTES_MAX = 256 * 1024 * 1024;
