import type { Dashboard } from "./dashboard.ts";
import { quantile, rate } from "./queries.ts";

const FLUSH = "portcullis_limiter_flush";

export const limiterEngine: Dashboard = {
  uid: "portcullis-limiter",
  title: "Limiter engine",
  description:
    "How the limiter decides: what waits, what a flush takes, and what the database does meanwhile.",
  rows: [
    {
      title: "Decisions",
      panels: [
        {
          title: "Buckets decided",
          description: "By decision. A shadow policy’s rejections are counted but answer nobody.",
          kind: "timeseries",
          unit: "ops",
          queries: [
            {
              expr: rate("portcullis_limiter_decisions_total", "mode, decision"),
              legend: "{{mode}} {{decision}}",
            },
          ],
        },
        {
          title: "Rejections by policy",
          description: "Who is over which limit.",
          kind: "timeseries",
          unit: "ops",
          queries: [
            {
              expr: rate("portcullis_limiter_decisions_total", "policy", 'decision="reject"'),
              legend: "{{policy}}",
            },
          ],
        },
        {
          title: "Calls by answer",
          description: "unavailable is no decision; anything else but ok is a caller’s mistake.",
          kind: "timeseries",
          unit: "reqps",
          queries: [
            {
              expr: rate(
                "rpc_server_call_duration_count",
                "rpc_method, rpc_response_status_code",
                'app="limiter"',
              ),
              legend: "{{rpc_method}} {{rpc_response_status_code}}",
            },
          ],
        },
      ],
    },
    {
      title: "Flushes",
      panels: [
        {
          title: "Requests in a flush",
          description: "Grows with the load: that is how the limiter stays fast.",
          kind: "timeseries",
          unit: "short",
          queries: [
            { expr: quantile(0.5, `${FLUSH}_size`, ""), legend: "p50" },
            { expr: quantile(0.99, `${FLUSH}_size`, ""), legend: "p99" },
          ],
        },
        {
          title: "Duration of a flush",
          description:
            "Locks, decisions and commit. Half of it is what a request waits on average.",
          kind: "timeseries",
          unit: "s",
          queries: [
            { expr: quantile(0.5, `${FLUSH}_duration`, ""), legend: "p50" },
            { expr: quantile(0.99, `${FLUSH}_duration`, ""), legend: "p99" },
          ],
        },
        {
          title: "Flushes",
          description: "Commits a second, however many requests they decide.",
          kind: "timeseries",
          unit: "ops",
          queries: [{ expr: rate(`${FLUSH}_duration_count`, "instance"), legend: "{{instance}}" }],
        },
        {
          title: "Waiting and refused",
          description: "Requests in the queue, and those refused because it was full.",
          kind: "timeseries",
          unit: "short",
          queries: [
            {
              expr: "sum by (instance) (portcullis_limiter_queue_depth)",
              legend: "waiting {{instance}}",
            },
            {
              expr: rate("portcullis_limiter_shed_total", "instance"),
              legend: "shed/s {{instance}}",
            },
          ],
        },
        {
          title: "Conflicts",
          description:
            "split: bad data in one request. missing-rows: swept meanwhile. lock-timeout: another held a row for long. held-rows: passed over, since another holds them. not-as-known: another changed them first, so they were read. claimed-meanwhile: another used the same idempotency key or receipt first.",
          kind: "timeseries",
          unit: "ops",
          queries: [
            { expr: rate("portcullis_limiter_conflicts_total", "kind"), legend: "{{kind}}" },
          ],
        },
        {
          title: "Latency of calls",
          description: "As served. LIMITER_DECISION_TIMEOUT_MS (300) bounds it.",
          kind: "timeseries",
          unit: "s",
          queries: [
            {
              expr: quantile(0.99, "rpc_server_call_duration", "rpc_method", 'app="limiter"'),
              legend: "p99 {{rpc_method}}",
            },
          ],
        },
      ],
    },
    {
      title: "Database",
      panels: [
        {
          title: "Operations",
          description: "By what a round trip waits for.",
          kind: "timeseries",
          unit: "ops",
          queries: [
            {
              expr: rate(
                "db_client_operation_duration_count",
                "db_operation_name",
                'app="limiter"',
              ),
              legend: "{{db_operation_name}}",
            },
          ],
        },
        {
          title: "Waiting for locks and for the disk",
          description:
            "lock_buckets waits for other replicas, commit for the disk, charge_known for both.",
          kind: "timeseries",
          unit: "s",
          queries: [
            {
              expr: quantile(
                0.99,
                "db_client_operation_duration",
                "db_operation_name",
                'app="limiter", db_operation_name=~"lock_buckets|charge_known|commit|create_buckets"',
              ),
              legend: "p99 {{db_operation_name}}",
            },
          ],
        },
        {
          title: "Errors",
          description: "By SQLSTATE. 55P03 is a lock timeout; 08 and 57 an outage.",
          kind: "timeseries",
          unit: "ops",
          queries: [
            {
              expr: `${rate("db_client_operation_duration_count", "error_type", 'app="limiter", error_type!=""')} or vector(0)`,
              legend: "{{error_type}}",
            },
          ],
        },
      ],
    },
  ],
};
