/** How long one of our small queries may take. */
const QUERY_TIMEOUT_MS = 5_000;

/** A value, an empty result, an unusable answer, or no answer. */
export type QueryAnswer =
  | { kind: "value"; value: number }
  | { kind: "nothing" }
  | { kind: "unknown"; problem: string }
  | Silence;

/** Why Prometheus did not answer; the same for every query. */
export type Silence = { kind: "silent"; problem: string };

/** Evaluates PromQL at one moment. More than one series is `unknown`. */
export async function queryPrometheus(
  prometheusUrl: string,
  promql: string,
  at: Date,
  signal?: AbortSignal,
): Promise<QueryAnswer> {
  const url = new URL("/api/v1/query", prometheusUrl);
  url.searchParams.set("query", promql);
  url.searchParams.set("time", String(at.getTime() / 1_000));
  const timeout = AbortSignal.timeout(QUERY_TIMEOUT_MS);
  try {
    const response = await fetch(url, {
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
    });
    const text = await response.text();
    if (response.status !== 200) {
      return { kind: "unknown", problem: `status ${response.status} to ${promql}` };
    }
    return readAnswer(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) return { kind: "unknown", problem: "an answer without JSON" };
    const problem = timeout.aborted ? `silent for ${QUERY_TIMEOUT_MS} ms` : problemOf(error);
    return { kind: "silent", problem };
  }
}

/** fetch puts the reason of a failed connection into the error's cause. */
function problemOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

type Answer = { data?: { resultType?: string; result?: unknown } };

function readAnswer(answer: Answer): QueryAnswer {
  const result = answer.data?.result;
  if (answer.data?.resultType !== "vector" || !Array.isArray(result)) {
    return { kind: "unknown", problem: "an answer that is no vector" };
  }
  if (result.length === 0) return { kind: "nothing" };
  const series: { value?: [number, string] } | undefined = result[0];
  const value = Number(series?.value?.[1]);
  if (result.length > 1) return { kind: "unknown", problem: "more than one series" };
  // A ratio of zero events is NaN: there is no value yet.
  return Number.isFinite(value) ? { kind: "value", value } : { kind: "nothing" };
}
