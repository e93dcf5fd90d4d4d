import type { ProxyTrust } from "./client-identity.ts";
import { type ClientIp, derive, HOPS_MAX } from "./client-ip.ts";
import type { Clock } from "./clock.ts";
import type { Peer } from "./peer.ts";
import { readProbe } from "./probe.ts";
import type { Secret } from "./secret.ts";

/** What a service derived from a probe's request. Holds no header. */
export type ProbeFindings = {
  client: ClientIp;
  /** The address that each number of hops, from 0 on, derives; empty if it is doubtful. */
  byHops: readonly string[];
};

/** Far more than one run of a tool sends. The oldest probe is dropped first. */
const PROBES_MAX = 2_048;
/** A tool asks for the findings of its probe at once. */
const PROBE_LIFETIME_MS = 60_000;

/**
 * Remembers what the service derived for requests that the operator signed. So a tool learns what a
 * service sees behind the proxies, and no proxy needs a route for it. Only the first request with a
 * nonce counts, so a replayed probe changes nothing.
 */
export class ProbeMemory {
  readonly #options: { trust: ProxyTrust; operatorTokens: readonly Secret[]; clock: Clock };
  readonly #probes = new Map<string, ProbeFindings & { untilMs: number }>();

  constructor(options: { trust: ProxyTrust; operatorTokens: readonly Secret[]; clock: Clock }) {
    this.#options = options;
  }

  /** Remembers a request that carries a valid probe, and ignores any other. */
  observe(peer: Peer, header: string | undefined): void {
    if (header === undefined) return;
    const { trust, operatorTokens, clock } = this.#options;
    const nonce = readProbe(header, operatorTokens);
    if (nonce === undefined || this.#probes.has(nonce)) return;
    this.#forgetOld(clock.nowMs());
    this.#probes.set(nonce, {
      client: derive(peer.remote, peer.forwardedLines, trust.hops, trust.trustedProxies),
      byHops: deriveByHops(peer),
      untilMs: clock.nowMs() + PROBE_LIFETIME_MS,
    });
  }

  /** Returns undefined for an unknown or expired nonce. */
  find(nonce: string): ProbeFindings | undefined {
    this.#forgetOld(this.#options.clock.nowMs());
    return this.#probes.get(nonce);
  }

  /** Drops expired probes, and the oldest one if the memory is full. The map is ordered by age. */
  #forgetOld(nowMs: number): void {
    for (const [nonce, { untilMs }] of this.#probes) {
      if (untilMs > nowMs && this.#probes.size < PROBES_MAX) return;
      this.#probes.delete(nonce);
    }
  }
}

function deriveByHops({ remote, forwardedLines }: Peer): string[] {
  const { entries } = derive(remote, forwardedLines, 0);
  return Array.from({ length: Math.min(entries, HOPS_MAX) + 1 }, (_, hops) => {
    const { ip, warning } = derive(remote, forwardedLines, hops);
    return warning === undefined ? ip : "";
  });
}
