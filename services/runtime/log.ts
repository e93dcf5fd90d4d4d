import { type Span, trace } from "@opentelemetry/api";
import { type Logger, pino } from "pino";
import { createLogOutput, type LogOutput } from "./log-output.ts";

export type { Logger } from "pino";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/**
 * Logs each event as one JSON line on standard output, with its trace. pino's own output would
 * block the event loop for a slow reader, and forever for one that is gone.
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

/** The fields that link a log line to its span. */
export function spanFields(span: Span | undefined): { trace_id?: string; span_id?: string } {
  const context = span?.spanContext();
  return context === undefined ? {} : { trace_id: context.traceId, span_id: context.spanId };
}
