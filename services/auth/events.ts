import { metrics } from "@opentelemetry/api";

/** How an attempt to sign in ended. */
export type LoginResult = "ok" | "refused" | "limited" | "unavailable";

const LOGIN_RESULTS: readonly LoginResult[] = ["ok", "refused", "limited", "unavailable"];

export function createLoginCounter(): (result: LoginResult) => void {
  const logins = metrics.getMeter("portcullis.auth").createCounter("portcullis.auth.logins", {
    description: "Attempts to sign in",
  });
  for (const result of LOGIN_RESULTS) logins.add(0, { result });
  return (result) => logins.add(1, { result });
}

/** Seconds, as the semantic conventions advise. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Measures the plain HTTP routes; RPCs are measured as such. */
export function createHttpDuration(): (route: string, status: number, startedMs: number) => void {
  const duration = metrics
    .getMeter("portcullis.http")
    .createHistogram("http.server.request.duration", {
      description: "Duration of plain HTTP requests as served",
      unit: "s",
      advice: { explicitBucketBoundaries: DURATION_BUCKETS },
    });
  return (route, status, startedMs) => {
    duration.record((performance.now() - startedMs) / 1_000, {
      "http.request.method": "POST",
      "http.route": route,
      "http.response.status_code": status,
    });
  };
}
