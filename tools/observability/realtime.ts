import type { Dashboard } from "./dashboard.ts";
import { quantile, rate } from "./queries.ts";

export const realtime: Dashboard = {
  uid: "portcullis-realtime",
  title: "Realtime",
  description:
    "What the gateways serve: connections, streams, and how fast revocations take effect.",
  rows: [
    {
      title: "Connections",
      panels: [
        {
          title: "Open connections",
          description: "By gateway.",
          kind: "timeseries",
          unit: "short",
          queries: [
            { expr: "sum by (instance) (portcullis_realtime_connections)", legend: "{{instance}}" },
          ],
        },
        {
          title: "Upgrades",
          description: "limited is a 429, unavailable a 503, invalid a handshake that is none.",
          kind: "timeseries",
          unit: "reqps",
          queries: [
            { expr: rate("portcullis_realtime_upgrades_total", "result"), legend: "{{result}}" },
          ],
        },
        {
          title: "Refused upgrades by status",
          description: "Browsers cannot see it; this is where it shows.",
          kind: "timeseries",
          unit: "reqps",
          queries: [
            { expr: rate("portcullis_realtime_rejected_total", "status"), legend: "{{status}}" },
          ],
        },
        {
          title: "Closes by code",
          description:
            "1006 broke without a close frame, 4000 is a gateway that stops, 4200 a slow reader.",
          kind: "timeseries",
          unit: "reqps",
          queries: [{ expr: rate("portcullis_realtime_closes_total", "code"), legend: "{{code}}" }],
        },
        {
          title: "Upgrades succeeded",
          description: "The objective is 99.9 % without 503.",
          kind: "timeseries",
          unit: "percentunit",
          queries: [
            { expr: "1 - portcullis:upgrade_errors:ratio_rate5m", legend: "not 503" },
            { expr: "track:upgrades_accepted:ratio_rate5m", legend: "accepted {{track}}" },
          ],
        },
        {
          title: "Time until an upgrade is decided",
          description: "The limiter’s answer, and little else.",
          kind: "timeseries",
          unit: "s",
          queries: [0.5, 0.99].map((q) => ({
            expr: quantile(q, "http_server_request_duration", "", 'http_route="/gateway/realtime"'),
            legend: `p${q * 100}`,
          })),
        },
      ],
    },
    {
      title: "Streams",
      panels: [
        {
          title: "Live subscriptions",
          description: "By gateway.",
          kind: "timeseries",
          unit: "short",
          queries: [
            {
              expr: "sum by (instance) (portcullis_realtime_subscriptions)",
              legend: "{{instance}}",
            },
          ],
        },
        {
          title: "Updates",
          description: "Sent, and skipped because a slow reader got a newer one instead.",
          kind: "timeseries",
          unit: "ops",
          queries: [
            { expr: rate("portcullis_realtime_updates_total", ""), legend: "sent" },
            { expr: rate("portcullis_realtime_conflated_total", ""), legend: "conflated" },
          ],
        },
        {
          title: "Age of what is known of revocations",
          description:
            "A revoked token streams on for as long at most. About the polling interval.",
          kind: "timeseries",
          unit: "s",
          queries: [
            {
              expr: "max by (instance) (portcullis_realtime_revocation_lag)",
              legend: "{{instance}}",
            },
          ],
        },
      ],
    },
    {
      title: "Process",
      panels: [
        {
          title: "Event loop delay",
          description: "99th percentile. All sessions of a gateway wait for it.",
          kind: "timeseries",
          unit: "s",
          queries: [{ expr: 'nodejs_eventloop_delay_p99{app="gateway"}', legend: "{{instance}}" }],
        },
        {
          title: "Heap in use",
          description: "Bounded for each session, so it follows the connections.",
          kind: "timeseries",
          unit: "bytes",
          queries: [
            {
              expr: 'sum by (instance) (v8js_memory_heap_used{app="gateway"})',
              legend: "{{instance}}",
            },
          ],
        },
        {
          title: "File descriptors",
          description: "One for each connection, and some.",
          kind: "timeseries",
          unit: "short",
          queries: [
            { expr: 'process_open_file_descriptors{app="gateway"}', legend: "{{instance}}" },
          ],
        },
      ],
    },
  ],
};
