import { metrics } from "@opentelemetry/api";
import { CLOSE_CODES } from "./close-codes.ts";

/** How an upgrade ended. */
export type UpgradeResult = "accepted" | "invalid" | "limited" | "unavailable" | "aborted";

/** The HTTP statuses that refuse an upgrade. */
export type RefusedStatus = 400 | 403 | 426 | 429 | 503;

/** What is refused or closed because of a bound. */
export type Shed =
  /** Connections without a request: over the total, and over the bound of an address. */
  | "connections"
  | "connections_address"
  /** Requests that were not complete in time. */
  | "slow_request"
  /** Sessions without a subscription, when there are many. */
  | "idle_session"
  /** Tokens that were not checked, because too many waited. */
  | "token_check"
  /** Tokens that auth was not asked about, because too many of their crowd waited. */
  | "introspection";

/** Everything that the gateway counts, one function an event. */
export type RealtimeEvents = {
  upgraded(result: UpgradeResult): void;
  refused(status: RefusedStatus): void;
  shed(what: Shed): void;
  opened(): void;
  closed(code: number): void;
  subscribed(): void;
  unsubscribed(): void;
  /** An update was sent; `conflated` older ones were skipped. */
  delivered(conflated: number): void;
  /** Registers the lag of the gateway's revocations, which is read at each scrape. */
  observeRevocationLag(lagMs: () => number): void;
};

const UPGRADE_RESULTS = ["accepted", "invalid", "limited", "unavailable", "aborted"] as const;
const REFUSED_STATUSES = [400, 403, 426, 429, 503] as const;
const SHED = [
  "connections",
  "connections_address",
  "slow_request",
  "idle_session",
  "token_check",
  "introspection",
] as const satisfies readonly Shed[];
/**
 * Clients send 1000 and 1001; 1005 is a close without a code, 1006 a lost connection. The engine
 * closes with 1002 and 1007 when a client breaks the websocket protocol.
 */
const CODES_COUNTED = new Set([
  ...[1000, 1001, 1002, 1005, 1006, 1007],
  ...Object.values<number>(CLOSE_CODES),
]);

export function createRealtimeEvents(): RealtimeEvents {
  const meter = metrics.getMeter("portcullis.realtime");
  const counter = (name: string, description: string) =>
    meter.createCounter(`portcullis.realtime.${name}`, { description });
  const upgrades = counter("upgrades", "Websocket upgrades by how they ended");
  const rejected = counter("rejected", "Websocket upgrades refused, by HTTP status");
  const shed = counter("shed", "What was refused or ended because of a bound, by bound");
  const closes = counter("closes", "Connections closed, by close code");
  const updates = counter("updates", "Updates sent to subscribers");
  const conflated = counter("conflated", "Updates a slow reader got a newer one instead of");
  const connections = meter.createUpDownCounter("portcullis.realtime.connections", {
    description: "Open connections",
  });
  const subscriptions = meter.createUpDownCounter("portcullis.realtime.subscriptions", {
    description: "Live subscriptions",
  });
  const lag = meter.createObservableGauge("portcullis.realtime.revocation.lag", {
    description: "Time since all revocations were known to this gateway",
    unit: "s",
  });
  for (const result of UPGRADE_RESULTS) upgrades.add(0, { result });
  for (const status of REFUSED_STATUSES) rejected.add(0, { status: String(status) });
  for (const what of SHED) shed.add(0, { what });
  for (const code of [...CODES_COUNTED, "other"]) closes.add(0, { code: String(code) });
  for (const instrument of [updates, conflated, connections, subscriptions]) instrument.add(0);

  return {
    upgraded: (result) => upgrades.add(1, { result }),
    refused: (status) => rejected.add(1, { status: String(status) }),
    shed: (what) => shed.add(1, { what }),
    opened: () => connections.add(1),
    closed(code) {
      connections.add(-1);
      closes.add(1, { code: CODES_COUNTED.has(code) ? String(code) : "other" });
    },
    subscribed: () => subscriptions.add(1),
    unsubscribed: () => subscriptions.add(-1),
    delivered(skipped) {
      updates.add(1);
      if (skipped > 0) conflated.add(skipped);
    },
    observeRevocationLag(lagMs) {
      lag.addCallback((result) => result.observe(lagMs() / 1_000));
    },
  };
}
