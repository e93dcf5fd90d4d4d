import { atAGlance } from "./at-a-glance.ts";
import type { Dashboard } from "./dashboard.ts";
import { quantile, rate } from "./queries.ts";

const OUTCOMES = "portcullis_limiter_outcomes_total";
const CONSUME = 'rpc_method=~".*LimiterService/Consume(Batch)?"';

export const securityControls: Dashboard = {
  uid: "portcullis-security",
  title: "Security controls",
  description:
    "Whether the gate holds: what limits decide, what happens when they cannot, and whom they take clients for.",
  rows: [
    ...atAGlance,
    {
      title: "Limits",
      panels: [
        {
          title: "Outcomes of the API by policy",
          description: "What auth was told. fail-closed is a 503, reject a 429.",
          kind: "timeseries",
          unit: "reqps",
          queries: [
            {
              expr: rate(OUTCOMES, "policy, outcome", 'surface="api"'),
              legend: "{{policy}} {{outcome}}",
            },
          ],
        },
        {
          title: "Outcomes of realtime by policy",
          description: "What the gateway was told. fail-closed is a 503, reject a 429.",
          kind: "timeseries",
          unit: "reqps",
          queries: [
            {
              expr: rate(OUTCOMES, "policy, outcome", 'surface="realtime"'),
              legend: "{{policy}} {{outcome}}",
            },
          ],
        },
        {
          title: "429 and 503 apart",
          description:
            "Over a limit is the client’s, no decision is ours. They must never be mixed up.",
          kind: "timeseries",
          unit: "reqps",
          queries: [
            { expr: rate(OUTCOMES, "surface", 'outcome="reject"'), legend: "429 {{surface}}" },
            { expr: rate(OUTCOMES, "surface", 'outcome="fail-closed"'), legend: "503 {{surface}}" },
            { expr: rate(OUTCOMES, "surface", 'outcome="fail-open"'), legend: "open {{surface}}" },
          ],
        },
        {
          title: "Share over a limit",
          description: "A jump means an attack, or honest clients that share an identity.",
          kind: "timeseries",
          unit: "percentunit",
          queries: [
            { expr: "surface_track:rejections:ratio_rate5m", legend: "{{surface}} {{track}}" },
          ],
        },
        {
          title: "Sign-ins",
          description: "How attempts to sign in ended.",
          kind: "timeseries",
          unit: "reqps",
          queries: [{ expr: rate("portcullis_auth_logins_total", "result"), legend: "{{result}}" }],
        },
        {
          title: "Fail-open periods that ended",
          description: "Each ended by itself, at the time its change named.",
          kind: "timeseries",
          unit: "short",
          queries: [
            {
              expr: "sum by (app, surface) (portcullis_failure_mode_ended_total)",
              legend: "{{app}} {{surface}}",
            },
          ],
        },
      ],
    },
    {
      title: "Client addresses",
      panels: [
        {
          title: "Derivations by source and warning",
          description: "Behind an edge all are forwarded, without a warning.",
          kind: "timeseries",
          unit: "reqps",
          queries: [
            {
              expr: rate("portcullis_client_ip_derivations_total", "service, source, warning"),
              legend: "{{service}} {{source}} {{warning}}",
            },
          ],
        },
        {
          title: "Forwarded entries",
          description:
            "Mean number in X-Forwarded-For: constant behind an edge that overwrites it.",
          kind: "timeseries",
          unit: "short",
          queries: [
            { expr: "service_track:client_ip_entries:mean5m", legend: "{{service}} {{track}}" },
          ],
        },
        {
          title: "Most frequent address",
          description:
            "Its share in the requests of a minute. It rises when clients collapse into one.",
          kind: "timeseries",
          unit: "percentunit",
          queries: [
            {
              expr: "max by (service, track) (portcullis_client_ip_top_key_share)",
              legend: "{{service}} {{track}}",
            },
          ],
        },
      ],
    },
    {
      title: "Latency",
      panels: [
        {
          title: "Decisions, as callers see them",
          description:
            "Callers give up after LIMITER_TIMEOUT_MS (500) and follow the failure mode.",
          kind: "timeseries",
          unit: "s",
          queries: [0.5, 0.99].map((q) => ({
            expr: quantile(q, "rpc_client_call_duration", "app", CONSUME),
            legend: `p${q * 100} {{app}}`,
          })),
        },
        {
          title: "Calls of auth",
          description: "99th percentile by method. A sign-in takes as long as its hash.",
          kind: "timeseries",
          unit: "s",
          queries: [
            {
              expr: quantile(0.99, "rpc_server_call_duration", "rpc_method", 'app="auth"'),
              legend: "{{rpc_method}}",
            },
          ],
        },
        {
          title: "Upgrades",
          description: "Until an upgrade is decided, by status.",
          kind: "timeseries",
          unit: "s",
          queries: [
            {
              expr: quantile(
                0.99,
                "http_server_request_duration",
                "http_response_status_code",
                'http_route="/gateway/realtime"',
              ),
              legend: "p99 {{http_response_status_code}}",
            },
          ],
        },
      ],
    },
  ],
};
