import { setNewest } from "./set-newest.ts";

/** More proxies than any deployment has. The peer that was seen least recently is dropped first. */
const PEERS_MAX = 1_024;

/** `start` while the process still learns its peers, `later` afterwards. */
export type PeerPhase = "start" | "later";
export const PEER_PHASES: readonly PeerPhase[] = ["start", "later"];

/**
 * How long a process learns its peers. Every proxy in front of it sends something in this time, at
 * least health checks, so a restart does not look like an attack.
 */
const LEARNING_MS = 10 * 60_000;

/** Remembers the peers whose header was believed, in bounded memory, to recognise new ones. */
export class KnownPeers {
  /** Ordered by when each peer was last seen. */
  readonly #seen = new Map<string, true>();
  readonly #startedAtMs: number;
  #latest = "";

  constructor(startedAtMs: number) {
    this.#startedAtMs = startedAtMs;
  }

  /** Notes a peer. Returns the current phase for a new peer; undefined for a known one. */
  note(peer: string, nowMs: number): PeerPhase | undefined {
    if (peer === this.#latest) return undefined;
    this.#latest = peer;
    const isKnown = this.#seen.has(peer);
    setNewest(this.#seen, peer, true, PEERS_MAX);
    if (isKnown) return undefined;
    return Math.abs(nowMs - this.#startedAtMs) < LEARNING_MS ? "start" : "later";
  }
}
