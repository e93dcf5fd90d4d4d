import type { RunnableProxy } from "../../tools/edge/start-proxy.ts";

/** A request that one proxy is known to treat otherwise than the rule, and why that is no harm. */
export type KnownDifference =
  /** Refused before any service sees it. */
  | { kind: "refused"; proxy: RunnableProxy; request: string; status: number }
  /**
   * In topology cdn alone: the CDN's own last entry, which a client cannot write, is read by the
   * proxy's own rules. `client` is what comes of it; `peer` stands for the CDN's address and
   * `doubt` for the fallback of the services.
   */
  | { kind: "read"; proxy: RunnableProxy; request: string; client: string }
  /**
   * In topology cdn-append alone, at the real gateway on uWebSockets: that trims bytes above 127 from both
   * ends of a value, so an entry counts that the rule refuses. A client's own words are never at
   * the end that counts.
   */
  | { kind: "trimmed"; proxy: RunnableProxy; request: string; client: string };

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  // 122 header lines; HAProxy takes 101.
  { kind: "refused", proxy: "haproxy", request: "spf-11", status: 400 },
  // Brackets without a port.
  { kind: "read", proxy: "nginx", request: "prt-03", client: "peer" },
  { kind: "read", proxy: "nginx", request: "h3-07", client: "peer" },
  { kind: "read", proxy: "haproxy", request: "prt-03", client: "peer" },
  { kind: "read", proxy: "haproxy", request: "h3-07", client: "peer" },
  // "1.2.3.4 5.6.7.8": to nginx a space separates entries, too.
  { kind: "read", proxy: "nginx", request: "inv-35", client: "5.6.7.8" },
  // 255.255.255.255 is an address to these; services refuse it and fall back.
  { kind: "read", proxy: "haproxy", request: "inv-39", client: "doubt" },
  { kind: "read", proxy: "caddy", request: "inv-39", client: "doubt" },
  { kind: "trimmed", proxy: "nginx", request: "ws-10", client: "203.0.113.9" },
  { kind: "trimmed", proxy: "haproxy", request: "ws-10", client: "203.0.113.9" },
  { kind: "trimmed", proxy: "caddy", request: "ws-10", client: "203.0.113.9" },
  // HAProxy keeps lines apart, so each has ends of its own.
  { kind: "trimmed", proxy: "haproxy", request: "obs-text", client: "6.6.6.6" },
];
