import type { RolloutServiceName } from "../settings/rollout-config.ts";
import type { Gate } from "./gate.ts";
import { events, type IdentityGatesOptions, identityGates } from "./identity-gates.ts";

const OUTCOMES = "portcullis_limiter_outcomes_total";
const RPC_COUNT = "rpc_server_call_duration_count";
const UPGRADES = "portcullis_realtime_upgrades_total";
const CLOSES = "portcullis_realtime_closes_total";

/** Status codes of auth that mean our failure, not the caller's. */
const OUR_ERRORS = "unavailable|internal|unknown|deadline_exceeded|data_loss|unimplemented";
const AUTH_RPCS = 'rpc_method=~"portcullis[.]auth[.]v1[.].*"';
const CONSUME_RPCS = 'rpc_method=~"portcullis[.]limiter[.]v1[.]LimiterService/Consume(Batch)?"';
/** Logins and upgrades are rarer than requests; a tenth of the events suffices. */
const RARER = 0.1;
const ratio = (part: string, whole: string) => (window: string) =>
  `(${events(part)(window)} or vector(0)) / ${events(whole)(window)}`;

/** The gates of a canary: metrics that show harm, each with its limit and reason. */
export function watchlist(options: WatchlistOptions): Gate[] {
  const failOpen = options.failOpen ?? [];
  return [
    ...identityGates(options),
    ...limiterGates,
    ...serviceGates,
    failureModeGate(failOpen),
    ...stateGates,
  ];
}

export type WatchlistOptions = IdentityGatesOptions & {
  /** The services that may fail open. */
  failOpen?: readonly RolloutServiceName[] | undefined;
};

const limiterGates: readonly Gate[] = [
  {
    id: "gate.limiter.no-decision",
    title: "Requests for which the limiter gave no decision",
    why: "each was refused with 503, or let through unlimited",
    unit: "events",
    rule: { kind: "none" },
    value: events(`${OUTCOMES}{outcome=~"backend-error|fail-closed|fail-open"}`),
    samples: events(OUTCOMES),
    mend: "look at the limiter and its database; roll back if the change reached either",
  },
  {
    id: "gate.limiter.rejections",
    title: "Share of requests over a limit",
    why: "wrong identities make honest clients pay for each other",
    unit: "percent",
    rule: {
      kind: "at-most",
      bound: 0.2,
      relative: { factor: 1.2, margin: 0, slack: 0.01 },
    },
    value: ratio(`${OUTCOMES}{outcome="reject"}`, `${OUTCOMES}{outcome=~"allow|reject"}`),
    samples: events(`${OUTCOMES}{outcome=~"allow|reject"}`),
    isZeroSuspicious: true,
    mend: "see which policy rejects whom before going on",
  },
  {
    id: "gate.limiter.p99",
    title: "Time of a decision, 99th percentile",
    why: "callers give up after their deadline and fail closed",
    unit: "seconds",
    rule: {
      kind: "at-most",
      bound: 0.3,
      // A fifth of the callers' deadline is no regression.
      relative: { factor: 1.3, margin: 0, slack: 0.1 },
    },
    value: (window) =>
      `histogram_quantile(0.99, sum by (le) (rate(rpc_server_call_duration_bucket{${CONSUME_RPCS}}[${window}])))`,
    samples: events(`${RPC_COUNT}{${CONSUME_RPCS}}`),
    mend: "look at the limiter's database: locks, disk, connections",
  },
];

const serviceGates: readonly Gate[] = [
  {
    id: "gate.auth.errors",
    title: "Share of calls to auth that failed because of us",
    why: "nobody can sign in or mint tokens meanwhile",
    unit: "percent",
    rule: {
      kind: "at-most",
      bound: 0.05,
      relative: { factor: 1.2, margin: 0.002, slack: 0.005 },
    },
    value: ratio(
      `${RPC_COUNT}{${AUTH_RPCS},rpc_response_status_code=~"${OUR_ERRORS}"}`,
      `${RPC_COUNT}{${AUTH_RPCS}}`,
    ),
    samples: events(`${RPC_COUNT}{${AUTH_RPCS}}`),
    samplesShare: RARER,
    mend: "read auth's log for the first error, and roll the API stage back",
  },
  {
    id: "gate.auth.limited",
    title: "Share of calls to auth over a limit",
    why: "apart from errors: this rises when clients share one address",
    unit: "percent",
    rule: {
      kind: "at-most",
      bound: 0.2,
      relative: { factor: 1.2, margin: 0, slack: 0.01 },
    },
    value: ratio(
      `${RPC_COUNT}{${AUTH_RPCS},rpc_response_status_code="resource_exhausted"}`,
      `${RPC_COUNT}{${AUTH_RPCS}}`,
    ),
    samples: events(`${RPC_COUNT}{${AUTH_RPCS}}`),
    samplesShare: RARER,
    mend: "see which policy rejects whom before going on",
  },
  {
    id: "gate.upgrades.accepted",
    title: "Share of valid websocket upgrades that were accepted",
    why: "browsers see nothing but a failed connection and come back",
    unit: "percent",
    rule: {
      kind: "at-least",
      bound: 0.8,
      relative: { factor: 1, margin: -0.05, slack: 0.95 },
    },
    value: ratio(
      `${UPGRADES}{result="accepted"}`,
      `${UPGRADES}{result=~"accepted|limited|unavailable"}`,
    ),
    samples: events(`${UPGRADES}{result=~"accepted|limited|unavailable"}`),
    samplesShare: RARER,
    mend: "look at portcullis_realtime_rejected_total by status: 429 is identity, 503 the limiter",
  },
  {
    id: "gate.upgrades.unavailable",
    title: "Websocket upgrades refused with 503",
    why: "the gateway had no decision of the limiter, or is full",
    unit: "events",
    rule: { kind: "none" },
    value: events('portcullis_realtime_rejected_total{status="503"}'),
    samples: events(UPGRADES),
    samplesShare: RARER,
    mend: "look at the limiter and at the way from the gateway to it",
  },
  {
    id: "gate.closes.abnormal",
    title: "Share of connections that broke instead of closing",
    why: "a proxy that cuts idle websockets shows here first",
    unit: "percent",
    rule: {
      kind: "at-most",
      bound: 0.5,
      relative: { factor: 1, margin: 0.05, slack: 0.1 },
    },
    value: ratio(`${CLOSES}{code="1006"}`, CLOSES),
    samples: events(CLOSES),
    samplesShare: RARER,
    mend: "compare the edge's idle timeout with the ping interval: npm run rollout -- probe",
  },
];

/** The surface of each service in the metrics. Auth also exports the gateway's surface. */
const SURFACES_OF: Readonly<Record<RolloutServiceName, string>> = {
  auth: "api",
  gateway: "realtime",
  limiter: "",
};

/** `last` asks for the current value, since a window also covers a mode that has ended. */
export function failureModeGate(failOpen: readonly RolloutServiceName[]): Gate & { last: string } {
  const meant = failOpen.map((service) => SURFACES_OF[service]).join("|");
  const surfaces = meant === "" ? "" : `,surface!~"${meant}"`;
  // If every surface may be open, no series is left: vector(0) stands for none.
  const none = meant === "" ? "" : " or vector(0)";
  return {
    id: "gate.failure-mode",
    title: "Surfaces that fail open",
    why: "a canary in degraded mode shows nothing about the limits",
    unit: "number",
    rule: { kind: "none" },
    value: (window) =>
      `max(max_over_time(portcullis_failure_mode{mode="fail-open"${surfaces}}[${window}]))${none}`,
    last: `max(portcullis_failure_mode{mode="fail-open"${surfaces}})${none}`,
    mend: "end the degraded mode before rolling anything out",
  };
}

const SERVICES = "auth|limiter|gateway";

const stateGates: readonly Gate[] = [
  {
    id: "gate.services.scraped",
    title: "Services whose metrics arrive",
    why: "what is not measured cannot pass",
    unit: "number",
    rule: { kind: "exactly", value: 3 },
    value: () =>
      `count(count by (service_name) (target_info{service_name=~"portcullis-(${SERVICES})"}))`,
    mend: "see that every service is up and that Prometheus scrapes its metrics port",
  },
  {
    id: "gate.alerts.heartbeat",
    title: "The alert that always fires",
    why: "without it the silence of all other alerts says nothing",
    unit: "number",
    rule: { kind: "at-least", bound: 1 },
    value: () => 'count(ALERTS{alertname="Watchdog",alertstate="firing"})',
    mend: "load the rules of deploy/prometheus into Prometheus",
  },
  {
    id: "gate.config.equal",
    title: "Different configurations among the replicas of a service",
    why: "replicas that disagree about hops give one client several identities",
    unit: "number",
    rule: { kind: "exactly", value: 1 },
    value: () => "max(count by (service) (count by (service, hash) (portcullis_config_info)))",
    mend: "restart the replicas that still run the old configuration",
  },
  {
    id: "gate.event-loop",
    title: "Delay of the slowest service's event loop, 99th percentile",
    why: "every deadline is missed behind a blocked loop",
    unit: "seconds",
    rule: { kind: "at-most", bound: 0.25 },
    value: (window) => `max(avg_over_time(nodejs_eventloop_delay_p99[${window}]))`,
    mend: "give the service more processor time, or find what blocks it",
  },
  {
    id: "gate.memory.heap",
    title: "Heap of the largest process, in MiB",
    why: "a leak ends in a restart, and a restart drops every connection",
    unit: "number",
    rule: { kind: "at-most", relative: { factor: 1.5, margin: 0, slack: 512 } },
    value: (window) =>
      `max(sum by (instance) (avg_over_time(v8js_memory_heap_used[${window}]))) / 1048576`,
    mend: "compare it with the number of connections before blaming the release",
  },
  {
    id: "gate.descriptors",
    title: "Open files and sockets of the busiest process",
    why: "a process without descriptors accepts nobody",
    unit: "number",
    rule: { kind: "at-most", relative: { factor: 1.5, margin: 0, slack: 1_000 } },
    value: (window) => `max(avg_over_time(process_open_file_descriptors[${window}]))`,
    mend: "compare it with the number of connections before blaming the release",
  },
  {
    id: "gate.revocations.lag",
    title: "Age of the gateways' knowledge of revocations",
    why: "a revoked token streams on for as long",
    unit: "seconds",
    rule: { kind: "at-most", bound: 10 },
    value: (window) => `max(max_over_time(portcullis_realtime_revocation_lag[${window}]))`,
    mend: "see why the gateway does not reach auth: npm run rollout -- probe",
  },
];
