import { type Attributes, metrics, SpanStatusCode } from "@opentelemetry/api";
import { DURATION_BUCKETS_S } from "./duration-buckets.ts";
import { createServerSpans, type HeaderReader } from "./server-span.ts";

export type HttpCall = {
  method: string;
  /** The route, never the path: paths may hold names. */
  route: string;
  header: HeaderReader;
  trustTraceContext: boolean;
};

export type HttpTelemetry = <T extends { status: number }>(
  call: HttpCall,
  serve: () => Promise<T>,
) => Promise<T>;

/** Measures plain HTTP routes as `http.server.request.duration`, each within a server span. */
export function createHttpTelemetry(): HttpTelemetry {
  const withServerSpan = createServerSpans();
  const duration = metrics
    .getMeter("portcullis.http")
    .createHistogram("http.server.request.duration", {
      description: "Duration of plain HTTP requests as served",
      unit: "s",
      advice: { explicitBucketBoundaries: DURATION_BUCKETS_S },
    });
  return async ({ method, route, header, trustTraceContext }, serve) => {
    const startedAt = performance.now();
    const attributes: Attributes = { "http.request.method": method, "http.route": route };
    const options = { name: `${method} ${route}`, attributes, header, trustTraceContext };
    return await withServerSpan(options, async (span) => {
      const answer = await serve();
      const outcome = { "http.response.status_code": answer.status };
      span.setAttributes(outcome);
      if (answer.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      duration.record((performance.now() - startedAt) / 1_000, { ...attributes, ...outcome });
      return answer;
    });
  };
}
