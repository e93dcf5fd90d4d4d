import { type Attributes, metrics, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type pg from "pg";
import { DURATION_BUCKETS_S } from "./duration-buckets.ts";

/**
 * Starts the measurement of a database operation; the caller calls the result when it has ended.
 */
export type DatabaseTelemetry = (operation: string) => (error?: unknown) => void;

/**
 * Measures database operations as `db.client.operation.duration`, and as client spans within a
 * trace. Operations come from a closed set; no statement and no parameter is ever recorded.
 *
 * By hand, since `@opentelemetry/instrumentation-pg` (0.76) records no `error.type` for queries
 * that are awaited, on which the alert for a failing database rests, names operations by the first
 * word of a statement (`SELECT\n`) instead of its name, and puts the text of each statement into
 * its span.
 */
export function createDatabaseTelemetry(): DatabaseTelemetry {
  const tracer = trace.getTracer("portcullis.database");
  const duration = metrics
    .getMeter("portcullis.database")
    .createHistogram("db.client.operation.duration", {
      description: "Duration of database operations, as the client saw them",
      unit: "s",
      advice: { explicitBucketBoundaries: DURATION_BUCKETS_S },
    });
  return (operation) => {
    const startedAt = performance.now();
    const attributes: Attributes = {
      "db.system.name": "postgresql",
      "db.operation.name": operation,
    };
    const span =
      trace.getActiveSpan() === undefined
        ? undefined
        : tracer.startSpan(operation, { kind: SpanKind.CLIENT, attributes });
    return (error) => {
      if (error !== undefined) {
        attributes["error.type"] = errorTypeOf(error);
        span?.setAttributes(attributes).setStatus({ code: SpanStatusCode.ERROR });
      }
      span?.end();
      duration.record((performance.now() - startedAt) / 1_000, attributes);
    };
  };
}

/** Measures every query of a pg client, awaited or with a callback. */
export function measureQueries(client: pg.ClientBase, telemetry: DatabaseTelemetry): void {
  const query = client.query.bind(client) as (...parameters: unknown[]) => unknown;
  const measured = (...parameters: unknown[]): unknown => {
    const end = telemetry(operationOf(parameters[0]));
    const callback = parameters.at(-1);
    if (typeof callback === "function") {
      return query(...parameters.slice(0, -1), (error: unknown, result: unknown) => {
        end(error ?? undefined);
        callback(error, result);
      });
    }
    const answer = query(...parameters);
    if (answer instanceof Promise) answer.then(() => end(), end);
    return answer;
  };
  client.query = measured as typeof client.query;
}

const VERBS = ["select", "insert", "update", "delete", "with", "begin", "commit", "rollback"];

/** The name of a prepared statement, else its verb. Our sources hold all of them. */
function operationOf(statement: unknown): string {
  const { name, text } =
    typeof statement === "object" && statement !== null
      ? (statement as { name?: unknown; text?: unknown })
      : { name: undefined, text: statement };
  if (typeof name === "string" && name !== "") return name;
  const verb = /^\s*([a-z]+)/i.exec(String(text))?.[1]?.toLowerCase() ?? "";
  return VERBS.includes(verb) ? verb : "other";
}

/** A SQLSTATE or a system error's code; both are closed sets. */
function errorTypeOf(error: unknown): string {
  if (!(error instanceof Error)) return "other";
  const code = "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : error.name;
}
