import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import {
  type Attributes,
  context,
  metrics,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { createBoundedWarning } from "./bounded-warning.ts";
import { systemClock } from "./clock.ts";
import { codeText } from "./code-text.ts";
import type { Logger } from "./log.ts";
import { isDatabaseOutage } from "./postgres.ts";

/**
 * Turns a database outage into `unavailable`, and logs bugs once with their cause. What reaches the
 * wire for a bug is `internal error` and nothing else.
 */
export function createErrorInterceptor(log: Logger): Interceptor {
  const warn = createBoundedWarning(log, systemClock);
  return (next) => async (request) => {
    try {
      return await next(request);
    } catch (error) {
      if (error instanceof ConnectError) throw error;
      if (isDatabaseOutage(error)) {
        warn("database", "the database cannot serve now", { err: error });
        throw new ConnectError(
          "temporarily unavailable",
          Code.Unavailable,
          undefined,
          undefined,
          error,
        );
      }
      log.error(
        { err: error, rpc: `${request.service.typeName}/${request.method.name}` },
        "RPC failed",
      );
      throw error;
    }
  };
}

/**
 * Ends a call that takes longer than `timeoutMs` as `unavailable`. A caller's own, shorter timeout
 * ends it earlier, as `deadline_exceeded`.
 */
export function createDeadlineInterceptor(timeoutMs: number): Interceptor {
  return (next) => async (request) => {
    if (request.stream) return await next(request);
    let timer: NodeJS.Timeout | undefined;
    const expired = new Promise<never>((_resolve, reject) => {
      const refuse = () => {
        reject(new ConnectError(`no answer within ${timeoutMs} ms`, Code.Unavailable));
      };
      timer = setTimeout(refuse, timeoutMs);
    });
    try {
      return await Promise.race([next(request), expired]);
    } finally {
      clearTimeout(timer);
    }
  };
}

/** Seconds, as the semantic conventions advise for call durations. */
const DURATION_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/**
 * Measures every call as `rpc.server.call.duration` and wraps it in a server span. A trace context
 * from the public is linked, never continued; from our own services it is continued.
 */
export function createTelemetryInterceptor(options: { trustTraceContext: boolean }): Interceptor {
  const tracer = trace.getTracer("portcullis.rpc");
  const duration = metrics.getMeter("portcullis.rpc").createHistogram("rpc.server.call.duration", {
    description: "Duration of RPCs as served",
    unit: "s",
    advice: { explicitBucketBoundaries: DURATION_BUCKETS },
  });
  return (next) => async (request) => {
    const startedAt = performance.now();
    const method = `${request.service.typeName}/${request.method.name}`;
    const attributes: Attributes = { "rpc.system.name": "connectrpc", "rpc.method": method };
    const remote = propagation.extract(ROOT_CONTEXT, request.header, headerGetter);
    const remoteSpan = trace.getSpanContext(remote);
    const parent = options.trustTraceContext ? remote : ROOT_CONTEXT;
    const links =
      options.trustTraceContext || remoteSpan === undefined ? [] : [{ context: remoteSpan }];
    const span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes, links }, parent);
    try {
      return await context.with(trace.setSpan(parent, span), async () => await next(request));
    } catch (error) {
      const code = codeText(error instanceof ConnectError ? error.code : Code.Internal);
      attributes["rpc.response.status_code"] = code;
      attributes["error.type"] = code;
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      attributes["rpc.response.status_code"] ??= "ok";
      duration.record((performance.now() - startedAt) / 1_000, attributes);
      span.end();
    }
  };
}

const headerGetter = {
  keys: (headers: Headers) => [...headers.keys()],
  get: (headers: Headers, key: string) => headers.get(key) ?? undefined,
};
