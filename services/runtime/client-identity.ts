import { metrics } from "@opentelemetry/api";
import { createBoundedWarning } from "./bounded-warning.ts";
import { type ClientIp, derive } from "./client-ip.ts";
import type { Clock } from "./clock.ts";
import type { Cidr } from "./ip-address.ts";
import { KeySpread } from "./key-spread.ts";
import type { Logger } from "./log.ts";
import type { Peer } from "./peer.ts";

const WARNING_TEXTS = {
  missing_or_invalid:
    "Security limiter warning: trust proxy hops configured but X-Forwarded-For is missing/invalid; falling back to socket address.",
  fewer_entries:
    "Security limiter warning: X-Forwarded-For has fewer entries than configured trust proxy hops; falling back to socket address.",
  untrusted_peer:
    "Security limiter warning: the peer is not in TRUSTED_PROXY_CIDRS; falling back to socket address.",
} as const;

/** How a service was told to trust the proxies in front of it. */
export type ProxyTrust = { hops: number; trustedProxies?: readonly Cidr[] | undefined };

/** Derives who a peer's client is; counts every derivation and warns, never with the header. */
export type ClientIdentity = (peer: Peer) => ClientIp;

export function createClientIdentity(options: {
  service: string;
  trust: ProxyTrust;
  log: Logger;
  clock: Clock;
}): ClientIdentity {
  const { service, trust, clock } = options;
  const meter = metrics.getMeter("portcullis.client_ip");
  const derivations = meter.createCounter("portcullis.client_ip.derivations", {
    description: "Derivations of a client address",
  });
  const entriesSeen = meter.createHistogram("portcullis.client_ip.entries", {
    description: "Entries seen in X-Forwarded-For; constant behind a correct edge",
    advice: { explicitBucketBoundaries: [0, 1, 2, 3, 4, 8, 16] },
  });
  const spread = new KeySpread();
  meter
    .createObservableGauge("portcullis.client_ip.top_key_share", {
      description: "Share of the most frequent client address in the requests of the last minute",
      unit: "1",
    })
    .addCallback((result) => result.observe(spread.topShare(clock.nowMs()), { service }));
  meter
    .createObservableGauge("portcullis.client_ip.distinct_keys", {
      description: "About how many different client addresses there were in the last minute",
    })
    .addCallback((result) => result.observe(spread.distinct(clock.nowMs()), { service }));
  const warn = createBoundedWarning(options.log, clock);
  for (const warning of ["none", ...Object.keys(WARNING_TEXTS)]) {
    derivations.add(0, { service, source: "socket", warning });
  }
  derivations.add(0, { service, source: "forwarded", warning: "none" });

  return (peer) => {
    const client = derive(peer.remote, peer.forwardedLines, trust.hops, trust.trustedProxies);
    const { warning } = client;
    derivations.add(1, { service, source: client.class, warning: warning ?? "none" });
    entriesSeen.record(client.entries, { service });
    spread.record(client.ip, clock.nowMs());
    if (warning !== undefined) warn(warning, WARNING_TEXTS[warning], { hops: trust.hops });
    return client;
  };
}
