import { mapConcurrently } from "./concurrently.ts";
import { type Gate, type GateFinding, judgeGate } from "./gate.ts";
import { queryPrometheus } from "./query-prometheus.ts";

export type GatesOptions = {
  prometheusUrl: string;
  gates: readonly Gate[];
  /** How far back the measurement reaches from `at`. */
  windowSeconds: number;
  at: Date;
  baseline: Baseline;
  /** Fewer requests than this show nothing. */
  requestsMin: number;
  signal?: AbortSignal | undefined;
};

/** The time to compare with: before the change. */
export type Baseline = { endsAt: Date; windowSeconds: number };

/** Prometheus evaluates in parallel, but a judge should not be what slows it down. */
const QUERIES_MAX = 4;

/** Measures every gate and judges it. What cannot be asked is missing data, not a pass. */
export async function measureGates(options: GatesOptions): Promise<GateFinding[]> {
  const { prometheusUrl, at, baseline, signal } = options;
  const window = `${options.windowSeconds}s`;
  const ask = async (promql: string, moment: Date) => {
    const answer = await queryPrometheus(prometheusUrl, promql, moment, signal);
    return answer.kind === "value" ? answer.value : undefined;
  };
  return await mapConcurrently(options.gates, QUERIES_MAX, async (gate) => {
    const measured = {
      value: await ask(gate.value(window), at),
      baseline: await ask(gate.value(`${baseline.windowSeconds}s`), baseline.endsAt),
      samples: gate.samples === undefined ? undefined : await ask(gate.samples(window), at),
    };
    return judgeGate(gate, measured, options.requestsMin);
  });
}
