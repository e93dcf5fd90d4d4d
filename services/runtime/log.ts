import { type Span, trace } from "@opentelemetry/api";
import { type Logger, pino } from "pino";

export type { Logger } from "pino";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** Logs one JSON line an event to standard output, with the trace it belongs to. */
export function createLogger(service: string, level: (typeof LOG_LEVELS)[number]): Logger {
  return pino({
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    mixin: () => spanFields(trace.getActiveSpan()),
  });
}

/** What tells of a log line to which span it belongs. */
export function spanFields(span: Span | undefined): { trace_id?: string; span_id?: string } {
  const context = span?.spanContext();
  return context === undefined ? {} : { trace_id: context.traceId, span_id: context.spanId };
}
