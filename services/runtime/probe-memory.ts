import type { ProxyTrust } from "./client-identity.ts";
import { type ClientIp, derive, HOPS_MAX } from "./client-ip.ts";
import type { Clock } from "./clock.ts";
import type { Peer } from "./peer.ts";
import { readProbe } from "./probe.ts";
import type { Secret } from "./secret.ts";

/** What a service made of a probe's request; no header is kept. */
export type ProbeFindings = {
  client: ClientIp;
  /** What each number of hops from 0 on would derive; empty where that is doubtful. */
  byHops: readonly string[];
};

/** Far more than one run of a tool sends; the oldest make room. */
const PROBES_MAX = 2_048;
/** A tool asks at once; what nobody asks for is forgotten. */
const PROBE_LIFETIME_MS = 60_000;

/**
 * Remembers what was derived for requests that the operator signed, so that a tool learns what a
 * service sees behind the proxies without any route for that through them. The first request with
 * a nonce counts: whoever replays one that it saw pass changes nothing.
 */
export class ProbeMemory {
  readonly #options: { trust: ProxyTrust; operatorTokens: readonly Secret[]; clock: Clock };
  readonly #probes = new Map<string, ProbeFindings & { untilMs: number }>();

  constructor(options: { trust: ProxyTrust; operatorTokens: readonly Secret[]; clock: Clock }) {
    this.#options = options;
  }

  /** Looks at one request; does nothing for all that carry no valid probe. */
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

  find(nonce: string): ProbeFindings | undefined {
    this.#forgetOld(this.#options.clock.nowMs());
    return this.#probes.get(nonce);
  }

  /** Entries stand in the order of their ends, so it suffices to look at the first ones. */
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
