import type { Dashboard } from "./dashboard.ts";
import { rate } from "./queries.ts";

const FAIL_OPEN = 'max by (surface) (portcullis_failure_mode{mode="fail-open"})';
const REFUSING =
  'sum by (surface) (rate(portcullis_limiter_outcomes_total{outcome="fail-closed"}[2m])) > bool 0';
/** An event loop is either idle or active, so the sum of both is the age of the process. */
const AGE = "sum by (app, instance) (nodejs_eventloop_time_total)";
const ACTIVE = 'nodejs_eventloop_time_total{nodejs_eventloop_state="active"}';

/** The first questions of whoever is on call: do we refuse, why, since when, and what changed? */
export const atAGlance: Dashboard["rows"] = [
  {
    title: "Are we closed, and why?",
    panels: [
      {
        title: "The gate",
        description:
          "Deciding: limits work. Refusing: nobody can decide, callers see 503. Open: requests pass under the limits of single processes, under a change.",
        kind: "stat",
        unit: "none",
        thresholds: ["green", [1, "red"], [2, "orange"]],
        words: { 0: "deciding", 1: "refusing (503)", 2: "OPEN", 3: "OPEN, undecided" },
        runbook: "degraded-mode",
        queries: [{ expr: `2 * ${FAIL_OPEN} + (${REFUSING})`, legend: "{{surface}}" }],
      },
      {
        title: "Dependencies",
        description:
          "What each service relies on. Without the database nobody decides; without auth the gateway does not hear of revocations.",
        kind: "stat",
        unit: "none",
        thresholds: ["red", [1, "green"]],
        words: { 0: "DOWN", 1: "answers" },
        runbook: "degraded-mode",
        queries: [
          {
            expr: "min by (app, dependency) (portcullis_dependency_up)",
            legend: "{{app}} → {{dependency}}",
          },
        ],
      },
      {
        title: "Services",
        description: "Replicas that are scraped. None means down, or not found by Prometheus.",
        kind: "stat",
        unit: "short",
        thresholds: ["red", [1, "green"]],
        runbook: "degraded-mode",
        queries: [{ expr: 'sum by (app) (up{job="portcullis"})', legend: "{{app}}" }],
      },
      {
        title: "Decisions made, last hour",
        description:
          "The objective is 99.9 %. Below it, requests were refused with 503 or passed while failing open.",
        kind: "stat",
        unit: "percentunit",
        thresholds: ["red", [0.99, "yellow"], [0.999, "green"]],
        runbook: "degraded-mode",
        queries: [{ expr: "1 - portcullis:decision_errors:ratio_rate1h", legend: "{{surface}}" }],
      },
      {
        title: "Upgrades answered, last hour",
        description: "The objective is 99.9 %. Below it, websockets were refused with 503.",
        kind: "stat",
        unit: "percentunit",
        thresholds: ["red", [0.99, "yellow"], [0.999, "green"]],
        runbook: "degraded-mode",
        queries: [{ expr: "1 - portcullis:upgrade_errors:ratio_rate1h", legend: "websockets" }],
      },
      {
        title: "Age of revocations",
        description:
          "How long ago the gateways last knew all revocations. From a minute on streams end.",
        kind: "stat",
        unit: "s",
        thresholds: ["green", [5, "yellow"], [10, "red"]],
        runbook: "degraded-mode",
        queries: [{ expr: "max by (app) (portcullis_realtime_revocation_lag)", legend: "{{app}}" }],
      },
    ],
  },
  {
    title: "Since when, and what changed?",
    panels: [
      {
        title: "Alerts firing, and for how long",
        description:
          "The oldest is most likely the cause. Watchdog must be among them: without it nothing here can be trusted.",
        kind: "table",
        unit: "dtdurations",
        number: "for",
        runbook: "watchlist",
        queries: [
          {
            expr: 'sort_desc(time() - min by (alertname, severity, app, service, surface) (ALERTS_FOR_STATE and ignoring (alertstate) ALERTS{alertstate="firing"}))',
            legend: "{{alertname}}",
          },
        ],
      },
      {
        title: "Versions",
        description:
          "What runs. Two lines of one service are a rollout, or one that was forgotten.",
        kind: "table",
        unit: "none",
        number: "replicas",
        runbook: "staged-rollout",
        queries: [
          {
            expr: "count by (service, version, revision) (portcullis_build_info)",
            legend: "{{service}} {{version}} {{revision}}",
          },
        ],
      },
      {
        title: "Configurations",
        description: "Hops and configuration of every service; replicas of one are to agree.",
        kind: "table",
        unit: "none",
        number: "replicas",
        runbook: "hops",
        queries: [
          {
            expr: "count by (service, hops, hash) (portcullis_config_info)",
            legend: "{{service}} hops {{hops}} {{hash}}",
          },
        ],
      },
    ],
  },
  {
    title: "Restarts and changes of the last hour",
    panels: [
      {
        title: "Running for",
        description: "The youngest process of each service.",
        kind: "stat",
        unit: "dtdurations",
        thresholds: ["yellow", [900, "green"]],
        queries: [{ expr: `min by (app) (${AGE})`, legend: "{{app}}" }],
      },
      {
        title: "Restarts",
        description: "Each drops connections, and what a process had in memory.",
        kind: "stat",
        unit: "short",
        thresholds: ["green", [1, "yellow"], [3, "red"]],
        runbook: "degraded-mode",
        queries: [{ expr: `sum by (app) (resets(${ACTIVE}[1h]))`, legend: "{{app}}" }],
      },
      {
        title: "Configurations seen",
        description: "More than one: the configuration changed, or replicas differ.",
        kind: "stat",
        unit: "short",
        thresholds: ["green", [2, "yellow"]],
        runbook: "hops",
        queries: [
          {
            expr: "count by (service) (count by (service, hash) (last_over_time(portcullis_config_info[1h])))",
            legend: "{{service}}",
          },
        ],
      },
    ],
  },
  {
    title: "The edge",
    panels: [
      {
        title: "Clients in doubt",
        description:
          "Share of derivations with a warning. Behind a correct edge it is 0; else hops and edge do not fit.",
        kind: "stat",
        unit: "percentunit",
        thresholds: ["green", [0.0001, "red"]],
        runbook: "hops",
        queries: [
          {
            expr: "sum by (service) (service_track:client_ip_warnings:rate5m) / sum by (service) (service_track:client_ip_derivations:rate5m)",
            legend: "{{service}}",
          },
        ],
      },
      {
        title: "Most frequent address",
        description:
          "Its share in the requests. Near 1, the address of a proxy is taken for everybody.",
        kind: "stat",
        unit: "percentunit",
        thresholds: ["green", [0.2, "yellow"], [0.5, "red"]],
        runbook: "hops",
        queries: [
          {
            expr: "max by (service) (service_track:client_ip_top_key_share:max5m)",
            legend: "{{service}}",
          },
        ],
      },
      {
        title: "Clients with addresses of proxies",
        description: "Private, or a large CDN's. Where clients come from the internet it is 0.",
        kind: "stat",
        unit: "reqps",
        thresholds: ["green", [0.01, "yellow"]],
        runbook: "hops",
        queries: [
          {
            expr: rate("portcullis_client_ip_proxy_like_total", "service, network"),
            legend: "{{service}} {{network}}",
          },
        ],
      },
      {
        title: "Strange peers believed, last hour",
        description:
          "Peers that a process had never seen, while TRUSTED_PROXY_CIDRS is not set: a new proxy, or somebody past the edge.",
        kind: "stat",
        unit: "short",
        thresholds: ["green", [1, "orange"]],
        runbook: "hops",
        queries: [
          {
            expr: 'sum by (service) (increase(portcullis_client_ip_new_peers_total{phase="later"}[1h]))',
            legend: "{{service}}",
          },
        ],
      },
      {
        title: "Refused at the doors",
        description: "Before a handler: connections, heads, wrong tokens, shares, bodies.",
        kind: "stat",
        unit: "reqps",
        thresholds: ["green", [1, "yellow"], [100, "red"]],
        runbook: "watchlist",
        queries: [{ expr: rate("portcullis_door_refused_total", "door"), legend: "{{door}}" }],
      },
      {
        title: "Upgrades refused",
        description: "429 is identity, 503 the limiter, 400 and 426 an edge that does not forward.",
        kind: "stat",
        unit: "reqps",
        thresholds: ["green", [0.1, "yellow"], [10, "red"]],
        runbook: "canary",
        queries: [
          { expr: rate("portcullis_realtime_rejected_total", "status"), legend: "{{status}}" },
        ],
      },
    ],
  },
];
