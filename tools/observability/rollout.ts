import type { Dashboard, Unit } from "./dashboard.ts";

const both = (title: string, description: string, unit: Unit, expr: string, legend: string) => ({
  title,
  description,
  kind: "timeseries" as const,
  unit,
  queries: [{ expr, legend }],
});

export const rollout: Dashboard = {
  uid: "portcullis-rollout",
  title: "Rollout",
  description: "The canary watchlist: canary and stable side by side.",
  rows: [
    {
      title: "State",
      panels: [
        {
          title: "Configurations",
          description:
            "Hops and configuration of every service; one hash for each service and track.",
          kind: "table",
          unit: "none",
          number: "replicas",
          runbook: "hops",
          queries: [
            {
              expr: "count by (service, track, hops, hash) (portcullis_config_info)",
              legend: "{{service}} {{track}} hops {{hops}} {{hash}}",
            },
          ],
        },
        {
          title: "Alerts firing",
          description: "Watchdog must be among them: without it nothing here can be trusted.",
          kind: "table",
          unit: "none",
          number: "alerts",
          runbook: "watchlist",
          queries: [
            {
              expr: 'count by (alertname, severity) (ALERTS{alertstate="firing"})',
              legend: "{{alertname}}",
            },
          ],
        },
        {
          title: "Services scraped",
          description: "By service and track.",
          kind: "stat",
          unit: "short",
          thresholds: ["red", [1, "green"]],
          runbook: "watchlist",
          queries: [
            { expr: 'sum by (app, track) (up{job="portcullis"})', legend: "{{app}} {{track}}" },
          ],
        },
      ],
    },
    {
      title: "Identity",
      panels: [
        both(
          "Warnings",
          "Must be 0.",
          "reqps",
          "service_track:client_ip_warnings:rate5m",
          "{{service}} {{track}}",
        ),
        both(
          "Forwarded entries",
          "Must be the hops, exactly, and the same at auth and gateway.",
          "short",
          "service_track:client_ip_entries:mean5m",
          "{{service}} {{track}}",
        ),
        both(
          "Different addresses per request",
          "Canary within 20 % of stable. Lower: clients collapse. Higher: addresses are made up.",
          "short",
          "service_track:client_ip_distinct_keys:per_request5m",
          "{{service}} {{track}}",
        ),
        both(
          "Most frequent address",
          "Canary at most 5 points above stable.",
          "percentunit",
          "service_track:client_ip_top_key_share:max5m",
          "{{service}} {{track}}",
        ),
      ],
    },
    {
      title: "Limits",
      panels: [
        both(
          "Share over a limit",
          "Canary at most 1.2 times stable; 0 is suspicious too.",
          "percentunit",
          "surface_track:rejections:ratio_rate5m",
          "{{surface}} {{track}}",
        ),
        both(
          "Failed closed",
          "Must be 0.",
          "reqps",
          'sum by (surface, track) (rate(portcullis_limiter_outcomes_total{outcome="fail-closed"}[$__rate_interval]))',
          "{{surface}} {{track}}",
        ),
        both(
          "Time of a decision, 99th percentile",
          "Canary at most 1.3 times stable.",
          "s",
          "track:consume_duration:p99_5m",
          "{{track}}",
        ),
        both(
          "Wait for locks, 99th percentile",
          "Canary at most 1.3 times stable.",
          "s",
          "track:lock_wait:p99_5m",
          "{{track}}",
        ),
      ],
    },
    {
      title: "Services",
      panels: [
        both(
          "Calls of auth that were not ok",
          "resource_exhausted and unavailable apart from the rest.",
          "percentunit",
          "track_code:auth_errors:ratio_rate5m",
          "{{rpc_response_status_code}} {{track}}",
        ),
        both(
          "Upgrades accepted",
          "Canary at most 5 points below stable.",
          "percentunit",
          "track:upgrades_accepted:ratio_rate5m",
          "{{track}}",
        ),
        both(
          "Upgrades refused, by status",
          "429 points at identity, 503 at the limiter, 400 and 426 at the edge.",
          "percentunit",
          "track_status:upgrades_refused:ratio_rate5m",
          "{{status}} {{track}}",
        ),
        both(
          "Connections that broke",
          "Share of closes with 1006. Canary at most 5 points above stable.",
          "percentunit",
          "track:abnormal_closes:ratio_rate5m",
          "{{track}}",
        ),
        both(
          "Reconnects",
          "Accepted upgrades a second for each open connection.",
          "short",
          "track:reconnects:per_connection5m",
          "{{track}}",
        ),
        both(
          "Event loop delay, 99th percentile",
          "At most 0.25 s.",
          "s",
          "max by (app, track) (nodejs_eventloop_delay_p99)",
          "{{app}} {{track}}",
        ),
      ],
    },
  ],
};
