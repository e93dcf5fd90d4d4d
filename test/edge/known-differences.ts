import type { RunnableProxy } from "../../tools/edge/start-proxy.ts";

/** A request that one proxy is known to treat otherwise than the rule, and why that is no harm. */
export type KnownDifference =
  /** Refused before any service sees it. */
  | { kind: "refused"; proxy: RunnableProxy; request: string; status: number }
  /**
   * In topology cdn-append alone, at the real gateway on uWebSockets: that trims bytes above 127 from both
   * ends of a value, so an entry counts that the rule refuses. A client's own words are never at
   * the end that counts.
   */
  | { kind: "trimmed"; proxy: RunnableProxy; request: string; client: string };

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  // 122 header lines, more than the gateway takes.
  { kind: "refused", proxy: "haproxy", request: "spf-11", status: 431 },
  { kind: "trimmed", proxy: "nginx", request: "ws-10", client: "203.0.113.9" },
  { kind: "trimmed", proxy: "haproxy", request: "ws-10", client: "203.0.113.9" },
  { kind: "trimmed", proxy: "caddy", request: "ws-10", client: "203.0.113.9" },
  // HAProxy keeps lines apart, so each has ends of its own.
  { kind: "trimmed", proxy: "haproxy", request: "obs-text", client: "6.6.6.6" },
];
