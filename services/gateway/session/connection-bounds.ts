/** Connections of every kind that one process holds, if it may have the descriptors. */
const CONNECTIONS_MAX = 54_000;
/** Left to the RPC and metrics ports, calls to auth and the limiter, and the process itself. */
const DESCRIPTORS_RESERVED = 512;
/** Of a small descriptor limit, this part is for clients. */
const CLIENT_PART = 1 / 2;
/** Of the connections, this part is for those that wait: for a request head, or for a decision. */
const WAITING_PART = 1 / 4;
/** Connections whose request is not there yet; an honest one is there within a round trip. */
const WAITING_MAX = 2_000;
/** Upgrades that wait for the limiter at once; more would outlive its deadline anyway. */
const UPGRADES_PENDING_MAX = 2_000;
/** Of those upgrades, what one address and one IPv6 network (/48) can have. */
const UPGRADES_PENDING_PER_ADDRESS = 64;
const UPGRADES_PENDING_PER_NETWORK = 256;
/** Waiting connections of one socket address that is no trusted proxy. */
const WAITING_PER_ADDRESS = 64;
/** Each session takes a few kilobytes idle and 300 when it reads slowly. */
const SESSIONS_MAX = 50_000;
/** Of the sessions, this part may be without a subscription. */
const UNSUBSCRIBED_PART = 1 / 4;

/** How many connections there may be, by what they are doing. */
export type ConnectionBounds = {
  waiting: number;
  waitingPerAddress: number;
  pending: { total: number; address: number; network: number };
  sessions: number;
  unsubscribed: number;
};

/** Divides what the descriptor limit of the process leaves, so that nobody takes all of it. */
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
