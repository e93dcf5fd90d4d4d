/** The connections of one process, if its descriptor limit allows them. */
const CONNECTIONS_MAX = 54_000;
/** Reserved for the RPC and metrics ports, calls to auth and the limiter, and the process. */
const DESCRIPTORS_RESERVED = 512;
/** With a small descriptor limit, the part that clients get. */
const CLIENT_PART = 1 / 2;
/** The part of the connections that may wait: for their request, or for a decision. */
const WAITING_PART = 1 / 4;
/** Connections without a complete request; an honest client sends it within a round trip. */
const WAITING_MAX = 2_000;
/** Upgrades that wait for the limiter; more would miss its deadline anyway. */
const UPGRADES_PENDING_MAX = 2_000;
/** The part of those upgrades for one address and for one IPv6 network (/48). */
const UPGRADES_PENDING_PER_ADDRESS = 64;
const UPGRADES_PENDING_PER_NETWORK = 256;
/** Waiting connections of one peer that is no trusted proxy. */
const WAITING_PER_ADDRESS = 64;
/** A session takes a few kilobytes when idle, and 300 when its client reads slowly. */
const SESSIONS_MAX = 50_000;
/** The part of the sessions that may have no subscription. */
const UNSUBSCRIBED_PART = 1 / 4;

/** How many connections there may be in each state. */
export type ConnectionBounds = {
  waiting: number;
  waitingPerAddress: number;
  pending: { total: number; address: number; network: number };
  sessions: number;
  unsubscribed: number;
};

/** Divides the descriptors that clients may use between the states of a connection. */
export function divideConnections(openFilesMax: number): ConnectionBounds {
  const reserved = Math.min(DESCRIPTORS_RESERVED, Math.floor(openFilesMax * CLIENT_PART));
  const connections = Math.min(CONNECTIONS_MAX, openFilesMax - reserved);
  const waitingPart = Math.max(2, Math.floor(connections * WAITING_PART));
  const waiting = Math.min(WAITING_MAX, Math.floor(waitingPart / 2));
  const pending = Math.min(UPGRADES_PENDING_MAX, Math.floor(waitingPart / 2));
  const sessions = Math.min(SESSIONS_MAX, connections - waiting - pending);
  return {
    waiting,
    waitingPerAddress: Math.min(WAITING_PER_ADDRESS, Math.ceil(waiting / 2)),
    pending: {
      total: pending,
      address: Math.min(UPGRADES_PENDING_PER_ADDRESS, Math.ceil(pending / 2)),
      network: Math.min(UPGRADES_PENDING_PER_NETWORK, Math.ceil(pending / 2)),
    },
    sessions,
    unsubscribed: Math.ceil(sessions * UNSUBSCRIBED_PART),
  };
}
