import { type Span, trace } from "@opentelemetry/api";
import { type Logger, pino } from "pino";
import { createLogOutput, type LogOutput } from "./log-output.ts";

export type { Logger } from "pino";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/**
 * Logs one JSON line an event to standard output, with the trace it belongs to. pino's own output
 * waits inside of the event loop for a reader that is slow, and for ever for one that is gone.
 */
export function createLogger(
  service: string,
  level: (typeof LOG_LEVELS)[number],
): { log: Logger; output: LogOutput } {
  const output = createLogOutput(process.stdout, (lines) => {
    log.warn({ lines }, "log lines were lost: whoever reads them was too slow");
  });
  const log = pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: () => spanFields(trace.getActiveSpan()),
    },
    output,
  );
  return { log, output };
}

/** What tells of a log line to which span it belongs. */
export function spanFields(span: Span | undefined): { trace_id?: string; span_id?: string } {
  const context = span?.spanContext();
  return context === undefined ? {} : { trace_id: context.traceId, span_id: context.spanId };
}
