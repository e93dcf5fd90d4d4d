import { mapConcurrently } from "../../edge/probe/concurrently.ts";
import { type Gate, type GateFinding, judgeGate, mergeFindings, samplesMinOf } from "./gate.ts";
import { onTrack } from "./on-track.ts";
import { describeSilence, findSilence } from "./prometheus-silence.ts";
import { queryPrometheus, type Silence } from "./query-prometheus.ts";

export type GatesOptions = {
  prometheusUrl: string;
  gates: readonly Gate[];
  /** How far back the measurement reaches from `at`. */
  windowSeconds: number;
  at: Date;
  baseline: Baseline;
  /** What to compare with where Prometheus knows nothing of that time any more, or not yet. */
  fallback?: Baseline | undefined;
  /** Compares two tracks at the same time instead of two times. */
  tracks?: Tracks | undefined;
  /** Fewer requests than this show nothing. */
  requestsMin: number;
  signal?: AbortSignal | undefined;
};

/** The values of the label `track` of the targets that are judged, and of those to compare with. */
export type Tracks = { canary: string; control: string };

/** The time to compare with: before the change. */
export type Baseline = { endsAt: Date; windowSeconds: number };

/**
 * A baseline of next to nothing would compare the rollout with chance; as much as the rollout
 * itself needs would be asked too much of a night.
 */
const BASELINE_SHARE = 0.1;
/** Prometheus evaluates in parallel, but a judge should not be what slows it down. */
const QUERIES_MAX = 4;

/**
 * Measures every gate and judges it. What cannot be asked is missing data, not a pass; when
 * Prometheus does not answer, that is one finding and not one for each gate.
 */
export async function measureGates(options: GatesOptions): Promise<GateFinding[]> {
  const { prometheusUrl, at, tracks, requestsMin, signal } = options;
  const silence = await findSilence(prometheusUrl, at, signal);
  if (silence !== undefined) return [silence];
  let silenced: Silence | undefined;
  const ask = async (promql: string, moment: Date, track: string | undefined) => {
    if (silenced !== undefined) return undefined;
    const narrowed = track === undefined ? promql : onTrack(promql, track);
    const answer = await queryPrometheus(prometheusUrl, narrowed, moment, signal);
    if (answer.kind === "silent") silenced = answer;
    return answer.kind === "value" ? answer.value : undefined;
  };
  const now = { endsAt: at, windowSeconds: options.windowSeconds };
  const { baseline, fallback } = options;
  const times = tracks === undefined ? [baseline, ...(fallback ? [fallback] : [])] : [now];
  const baselineSamplesMin = (gate: Gate) =>
    Math.ceil(samplesMinOf(gate, requestsMin) * BASELINE_SHARE);
  const judge = async (gate: Gate): Promise<GateFinding> => {
    if (gate.parts !== undefined) {
      const parts: GateFinding[] = [];
      for (const part of gate.parts) parts.push(await judge(part));
      const merged = mergeFindings(gate, parts);
      if (merged !== undefined) return merged;
    }
    const { also } = gate;
    const measure = async ({ endsAt, windowSeconds }: Baseline, track: string | undefined) => {
      const window = `${windowSeconds}s`;
      const value = await ask(gate.value(window), endsAt, track);
      const samples = gate.samples && (await ask(gate.samples(window), endsAt, track));
      return { value, samples };
    };
    const askAlso = async (
      query: (window: string) => string,
      { endsAt, windowSeconds }: Baseline,
      track: string | undefined,
    ) => await ask(query(`${windowSeconds}s`), endsAt, track);
    const findBefore = async () => {
      for (const time of times) {
        const { value, samples } = await measure(time, tracks?.control);
        const isEnough = !gate.samples || (samples ?? 0) >= baselineSamplesMin(gate);
        if (isEnough && value !== undefined) return { time, value };
      }
      return undefined;
    };
    const before = await findBefore();
    const measured = {
      ...(await measure(now, tracks?.canary)),
      baseline: before?.value,
      also: also && {
        value: await askAlso(also.value, now, tracks?.canary),
        limit: before && (await askAlso(also.limit, before.time, tracks?.control)),
      },
    };
    return judgeGate(gate, measured, requestsMin);
  };
  const findings = await mapConcurrently(options.gates, QUERIES_MAX, judge);
  if (silenced === undefined) return findings;
  const known = findings.filter(({ value }) => value !== undefined);
  return [describeSilence(prometheusUrl, silenced), ...known];
}
