import { Code, ConnectError, createContextKey, type Interceptor } from "@connectrpc/connect";
import {
  type Attributes,
  context,
  metrics,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { createBoundedWarning } from "./bounded-warning.ts";
import { systemClock } from "./clock.ts";
import { codeText } from "./code-text.ts";
import { DURATION_BUCKETS_S } from "./duration-buckets.ts";
import { type Logger, spanFields } from "./log.ts";
import { isDatabaseOutage } from "./postgres.ts";
import { createServerSpans } from "./server-span.ts";

/**
 * Turns a database outage into `unavailable`, and logs a bug once, with its cause. On the wire a
 * bug is `internal error` and nothing else.
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
        {
          err: error,
          rpc: `${request.service.typeName}/${request.method.name}`,
          ...spanFields(request.contextValues.get(spanKey)),
        },
        "RPC failed",
      );
      throw error;
    }
  };
}

/**
 * Ends a call that takes longer than `timeoutMs` as `unavailable`, with the reason in `details`. A
 * caller's own, shorter timeout ends it earlier, as `deadline_exceeded`.
 */
export function createDeadlineInterceptor(
  timeoutMs: number,
  details: NonNullable<ConstructorParameters<typeof ConnectError>[3]>,
): Interceptor {
  return (next) => async (request) => {
    if (request.stream) return await next(request);
    let timer: NodeJS.Timeout | undefined;
    const expired = new Promise<never>((_resolve, reject) => {
      const refuse = () => {
        const message = `no answer within ${timeoutMs} ms`;
        reject(new ConnectError(message, Code.Unavailable, undefined, details));
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

/** The span of the call. Set even if `followsCalls` is false. */
const spanKey = createContextKey<Span | undefined>(undefined);

/** The name of a call, and the attributes that its span and its metric share. */
function callAttributes(request: { service: { typeName: string }; method: { name: string } }) {
  const name = `${request.service.typeName}/${request.method.name}`;
  const attributes: Attributes = { "rpc.system.name": "connectrpc", "rpc.method": name };
  return { name, attributes };
}

const OK: Attributes = { "rpc.response.status_code": "ok" };

function failureAttributes(error: unknown): Attributes {
  const code = codeText(error instanceof ConnectError ? error.code : Code.Internal);
  return { "rpc.response.status_code": code, "error.type": code };
}

/**
 * Measures every call as `rpc.server.call.duration` and wraps it in a server span. A trace context
 * from the public is linked, never continued; one from our own services is continued.
 */
export function createTelemetryInterceptor(options: { trustTraceContext: boolean }): Interceptor {
  const { trustTraceContext } = options;
  const withServerSpan = createServerSpans();
  const duration = createCallDuration("rpc.server.call.duration", "Duration of RPCs as served");
  return (next) => async (request) => {
    const startedAt = performance.now();
    const { name, attributes } = callAttributes(request);
    const header = (key: string) => request.header.get(key) ?? undefined;
    return await withServerSpan({ name, attributes, header, trustTraceContext }, async (span) => {
      request.contextValues.set(spanKey, span);
      let outcome = OK;
      try {
        return await next(request);
      } catch (error) {
        outcome = failureAttributes(error);
        throw error;
      } finally {
        span.setAttributes(outcome);
        duration.record(secondsSince(startedAt), { ...attributes, ...outcome });
      }
    });
  };
}

/**
 * Measures every call to another of our services as `rpc.client.call.duration`, wraps it in a
 * client span and propagates the trace.
 */
export function createClientTelemetryInterceptor(): Interceptor {
  const tracer = trace.getTracer("portcullis.client");
  const duration = createCallDuration(
    "rpc.client.call.duration",
    "Duration of RPCs to our own services, as the caller saw them",
  );
  return (next) => async (request) => {
    const startedAt = performance.now();
    const { name, attributes } = callAttributes(request);
    const span = tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes });
    const active = trace.setSpan(context.active(), span);
    propagation.inject(active, request.header, headerSetter);
    let outcome = OK;
    try {
      return await next(request);
    } catch (error) {
      outcome = failureAttributes(error);
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.setAttributes(outcome).end();
      duration.record(secondsSince(startedAt), { ...attributes, ...outcome });
    }
  };
}

function createCallDuration(name: string, description: string) {
  return metrics.getMeter("portcullis.rpc").createHistogram(name, {
    description,
    unit: "s",
    advice: { explicitBucketBoundaries: DURATION_BUCKETS_S },
  });
}

function secondsSince(startedAt: number): number {
  return (performance.now() - startedAt) / 1_000;
}

const headerSetter = {
  set: (headers: Headers, key: string, value: string) => headers.set(key, value),
};
