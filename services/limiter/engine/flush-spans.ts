import { context, ROOT_CONTEXT, type Span, trace } from "@opentelemetry/api";
import type { Operation } from "./operation.ts";

/** As many links as a span keeps. */
const LINKS_MAX = 128;

/**
 * Traces flushes. A flush decides requests of many traces, so it belongs to none of them: it is a
 * trace of its own, linked to the requests that it decides, and they to it.
 */
export class FlushSpans {
  readonly #tracer = trace.getTracer("portcullis.limiter");
  readonly #callers = new WeakMap<Operation, Span>();

  /** Remembers in whose trace an operation was submitted. */
  remember(operation: Operation): void {
    const span = trace.getActiveSpan();
    if (span?.isRecording()) this.#callers.set(operation, span);
  }

  /** Runs a flush, in a span when any request that it decides is recorded. */
  async run(batch: readonly Operation[], flush: () => Promise<void>): Promise<void> {
    // The requests of one call share a span.
    const callers = new Set<Span>();
    for (const operation of batch) {
      if (callers.size >= LINKS_MAX) break;
      const caller = this.#callers.get(operation);
      if (caller !== undefined) callers.add(caller);
    }
    if (callers.size === 0) return await flush();
    const links = Array.from(callers, (caller) => ({ context: caller.spanContext() }));
    const attributes = { "portcullis.limiter.flush.size": batch.length };
    const span = this.#tracer.startSpan("flush", { attributes, links }, ROOT_CONTEXT);
    for (const caller of callers) caller.addLink({ context: span.spanContext() });
    try {
      await context.with(trace.setSpan(ROOT_CONTEXT, span), flush);
    } finally {
      span.end();
    }
  }
}
