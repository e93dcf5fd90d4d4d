import {
  type Attributes,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";

/** The first value of a header, by its lower-case name. */
export type HeaderReader = (name: string) => string | undefined;

export type ServerSpanOptions = {
  name: string;
  attributes: Attributes;
  header: HeaderReader;
  /**
   * Whether to continue the caller's trace context. Only our own services are trusted: the public
   * could otherwise write into our traces or decide what is sampled, so its context is only linked.
   */
  trustTraceContext: boolean;
};

/** Serves a request within a server span. The span ends with the request and records a failure. */
export type WithServerSpan = <T>(
  options: ServerSpanOptions,
  serve: (span: Span) => Promise<T>,
) => Promise<T>;

/** Makes server spans. Call it after telemetry has started. */
export function createServerSpans(): WithServerSpan {
  const tracer = trace.getTracer("portcullis.server");
  return async ({ name, attributes, header, trustTraceContext }, serve) => {
    const remote = propagation.extract(ROOT_CONTEXT, header, headerGetter);
    const remoteSpan = trace.getSpanContext(remote);
    const parent = trustTraceContext ? remote : ROOT_CONTEXT;
    const links = trustTraceContext || remoteSpan === undefined ? [] : [{ context: remoteSpan }];
    const span = tracer.startSpan(name, { kind: SpanKind.SERVER, attributes, links }, parent);
    try {
      return await context.with(trace.setSpan(parent, span), serve, undefined, span);
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  };
}

const headerGetter = {
  keys: () => propagation.fields(),
  get: (header: HeaderReader, key: string) => header(key),
};
