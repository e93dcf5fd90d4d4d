import { mapConcurrently } from "./concurrently.ts";
import { type Gate, type GateFinding, judgeGate, samplesMinOf } from "./gate.ts";
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
  const { prometheusUrl, at, baseline, requestsMin, signal } = options;
  const ask = async (promql: string, moment: Date) => {
    const answer = await queryPrometheus(prometheusUrl, promql, moment, signal);
    return answer.kind === "value" ? answer.value : undefined;
  };
  return await mapConcurrently(options.gates, QUERIES_MAX, async (gate) => {
    const measure = async (range: string, moment: Date) => {
      const value = await ask(gate.value(range), moment);
      return { value, samples: gate.samples && (await ask(gate.samples(range), moment)) };
    };
    const before = await measure(`${baseline.windowSeconds}s`, baseline.endsAt);
    // A baseline of a few requests would compare the rollout with chance.
    const isBaseline = !gate.samples || (before.samples ?? 0) >= samplesMinOf(gate, requestsMin);
    const measured = {
      ...(await measure(`${options.windowSeconds}s`, at)),
      baseline: isBaseline ? before.value : undefined,
    };
    return judgeGate(gate, measured, requestsMin);
  });
}
