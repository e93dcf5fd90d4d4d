import { metrics } from "@opentelemetry/api";
import { type BoundedWarning, createBoundedWarning } from "./bounded-warning.ts";
import { type ClientIp, derive } from "./client-ip.ts";
import type { Clock } from "./clock.ts";
import type { Cidr } from "./ip-address.ts";
import { KeySpread } from "./key-spread.ts";
import { KnownPeers, PEER_PHASES } from "./known-peers.ts";
import type { Logger } from "./log.ts";
import type { Peer } from "./peer.ts";
import { findProxyNetwork, PROXY_NETWORKS } from "./proxy-addresses.ts";

const WARNING_TEXTS = {
  missing_or_invalid:
    "Security limiter warning: trust proxy hops configured but X-Forwarded-For is missing/invalid; falling back to socket address.",
  fewer_entries:
    "Security limiter warning: X-Forwarded-For has fewer entries than configured trust proxy hops; falling back to socket address.",
  untrusted_peer:
    "Security limiter warning: the peer is not in TRUSTED_PROXY_CIDRS; falling back to socket address.",
} as const;

/** Warnings for a derived address that is hardly a client's own. */
const PROXY_TEXTS = {
  private:
    "Security limiter warning: the derived client address is private although trust proxy hops are configured; with too few hops every client is one.",
  cdn: "Security limiter warning: the derived client address is a CDN's although trust proxy hops are configured; with too few hops every client is one.",
} as const;

const NEW_PEER_TEXT =
  "Security limiter warning: the X-Forwarded-For of a peer that was never seen before was believed; set TRUSTED_PROXY_CIDRS to the addresses of the proxies.";

/** How many proxies in front of it a service trusts and, optionally, their addresses. */
export type ProxyTrust = { hops: number; trustedProxies?: readonly Cidr[] | undefined };

/** Derives the address of a peer's client. Counts every derivation; never logs the header. */
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
  const doubtBelieved = createBelievedDoubts({ service, trust, warn, clock });

  return (peer) => {
    const client = derive(peer.remote, peer.forwardedLines, trust.hops, trust.trustedProxies);
    const { warning } = client;
    if (client.class === "forwarded") doubtBelieved(client.ip, peer.remote);
    derivations.add(1, { service, source: client.class, warning: warning ?? "none" });
    entriesSeen.record(client.entries, { service });
    spread.record(client.ip, clock.nowMs());
    if (warning !== undefined) warn(warning, WARNING_TEXTS[warning], { hops: trust.hops });
    return client;
  };
}

/** Checks the addresses that `derive()` believed: it does not warn of too few hops. */
function createBelievedDoubts(options: {
  service: string;
  trust: ProxyTrust;
  warn: BoundedWarning;
  clock: Clock;
}): (address: string, remote: string) => void {
  const { service, trust, warn, clock } = options;
  const { hops } = trust;
  const meter = metrics.getMeter("portcullis.client_ip");
  const proxyLike = meter.createCounter("portcullis.client_ip.proxy_like", {
    description: "Derived client addresses that look like a proxy's",
  });
  for (const network of PROXY_NETWORKS) proxyLike.add(0, { service, network });
  const newPeers = meter.createCounter("portcullis.client_ip.new_peers", {
    description: "Peers that were believed for the first time, without TRUSTED_PROXY_CIDRS",
  });
  for (const phase of PEER_PHASES) newPeers.add(0, { service, phase });
  const peers = trust.trustedProxies === undefined ? new KnownPeers(clock.nowMs()) : undefined;

  return (address, remote) => {
    const network = findProxyNetwork(address);
    if (network !== undefined) {
      proxyLike.add(1, { service, network });
      warn(network, PROXY_TEXTS[network], { hops });
    }
    const phase = peers?.note(remote, clock.nowMs());
    if (phase !== undefined) newPeers.add(1, { service, phase });
    if (phase === "later") warn("new_peer", NEW_PEER_TEXT, { hops });
  };
}
