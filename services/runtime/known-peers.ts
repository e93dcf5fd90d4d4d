import { setNewest } from "./set-newest.ts";

/** More proxies than any deployment has at a time; what was not seen for longest is forgotten. */
const PEERS_MAX = 1_024;

/** Whether a process has just begun to learn its peers, or knows them. */
export type PeerPhase = "start" | "later";
export const PEER_PHASES: readonly PeerPhase[] = ["start", "later"];

/**
 * How long a process only learns: by then every proxy in front of it has sent something, health
 * checks at least, so that a restart looks like nobody's attack.
 */
const LEARNING_MS = 10 * 60_000;

/** The peers that were believed, in bounded memory, so that a new one can be told from them. */
export class KnownPeers {
  /** The peer seen last is last. */
  readonly #seen = new Map<string, true>();
  readonly #startedAtMs: number;
  #latest = "";

  constructor(startedAtMs: number) {
    this.#startedAtMs = startedAtMs;
  }

  /** Notes a peer; answers the phase in which it came when it was never seen before. */
  note(peer: string, nowMs: number): PeerPhase | undefined {
    if (peer === this.#latest) return undefined;
    this.#latest = peer;
    const isKnown = this.#seen.has(peer);
    setNewest(this.#seen, peer, true, PEERS_MAX);
    if (isKnown) return undefined;
    return Math.abs(nowMs - this.#startedAtMs) < LEARNING_MS ? "start" : "later";
  }
}
