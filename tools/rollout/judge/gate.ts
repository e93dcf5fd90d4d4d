import { doubtful, failed, passed, type Subject } from "../../edge/probe/check.ts";
import type { Check } from "../terms/verdict.ts";

/** How a measurement is shown. */
export type GateUnit = "events" | "percent" | "seconds" | "number";

/** What a measurement must satisfy. */
export type GateRule =
  /** Not one event of the kind may happen. */
  | { kind: "none" }
  | { kind: "exactly"; value: number }
  /** At most the absolute bound, and at most the baseline times `factor` plus `margin`. */
  | { kind: "at-most"; bound?: number; relative?: RelativeLimit }
  /** At least the absolute bound, and at least the baseline times `factor` plus `margin`. */
  | { kind: "at-least"; bound?: number; relative?: RelativeLimit };

export type RelativeLimit = {
  factor: number;
  margin: number;
  /** The relative limit is never stricter than this, so that noise is no regression. */
  slack?: number;
};

/** One metric that decides whether a rollout may go on. */
export type Gate = Subject & {
  unit: GateUnit;
  rule: GateRule;
  /** PromQL with one value as its result; `window` is a range such as `600s`. */
  value(window: string): string;
  /** PromQL for the number of events that the value rests on; absent for a state. */
  samples?(window: string): string;
  /** The fraction of the required number of requests that suffices for this gate. */
  samplesShare?: number;
  /** The name of the part that this gate measures, if it is one of another gate's `parts`. */
  part?: string | undefined;
  /** Gates judged in place of this one: a right value for one service may be wrong for another. */
  parts?: readonly Gate[];
  /** If set, the gate fails only if this value exceeds its own limit, too (from the baseline). */
  also?: { value(window: string): string; limit(window: string): string } | undefined;
  /** Whether a fall to zero from a baseline above zero is suspicious rather than good. */
  isZeroSuspicious?: boolean;
  mend: string;
};

/** What Prometheus knows about one gate; undefined is missing data, never zero. */
export type Measurement = {
  value: number | undefined;
  baseline: number | undefined;
  samples: number | undefined;
  /** The value and the limit of the gate's `also`. */
  also?: { value: number | undefined; limit: number | undefined } | undefined;
};

/** A gate with its verdict, and the numbers it rests on. */
export type GateFinding = { check: Check; unit: GateUnit; limit: string } & Measurement;

/** Tolerance for floating-point residue when extrapolated counters are subtracted. */
const NOTHING = 1e-6;
/** A baseline below this may fall to zero by chance. */
const SUSPICIOUS_BASELINE_MIN = 0.01;

/**
 * Judges one measurement. A broken absolute rule fails on however few samples. Every other verdict
 * needs enough samples, and a pass also needs every number that the rule refers to.
 */
export function judgeGate(gate: Gate, measured: Measurement, requestsMin: number): GateFinding {
  const { value, samples } = measured;
  const limits = limitsOf(gate.rule, measured.baseline);
  const limit = limitText(gate, limits);
  const finding = (check: Check): GateFinding => ({ ...measured, check, unit: gate.unit, limit });

  if (value === undefined) {
    return finding(doubtful(gate, "no data", "see that Prometheus scrapes every service"));
  }
  const text = formatValue(value, gate.unit);
  const isBroken =
    limits.some((bound) => !isWithin(gate.rule, value, bound)) && isAlsoBroken(gate, measured);
  // One event suffices to break an absolute rule; a share of few events may be chance.
  if (isBroken && isAbsolute(gate.rule)) {
    return finding(failed(gate, `${text}, limit ${limit}`, gate.mend));
  }
  const samplesMin = samplesMinOf(gate, requestsMin);
  if (gate.samples !== undefined && (samples === undefined || samples < samplesMin)) {
    const seen = samples === undefined ? "no" : `only ${Math.floor(samples)}`;
    const observed = `${text}, but ${seen} events of the ${samplesMin} it takes to tell`;
    return finding(doubtful(gate, observed, "wait for more traffic, or send some"));
  }
  if (isBroken) return finding(failed(gate, `${text}, limit ${limit}`, gate.mend));
  if (measured.baseline === undefined && needsBaseline(gate.rule, value)) {
    const mend = "start the canary once the baseline has been scraped for as long as it will last";
    return finding(doubtful(gate, `${text}, but there is no baseline to compare with`, mend));
  }
  if (gate.isZeroSuspicious && value < NOTHING && isSomething(measured.baseline)) {
    const baseline = formatValue(measured.baseline ?? 0, gate.unit);
    const observed = `fell to nothing from ${baseline}`;
    return finding(doubtful(gate, observed, "find out why: a control that never acts may be off"));
  }
  return finding(passed(gate, `${text}, limit ${limit}`));
}

/** The number of events below which a gate is inconclusive. */
export function samplesMinOf(gate: Gate, requestsMin: number): number {
  return Math.max(1, Math.ceil(requestsMin * (gate.samplesShare ?? 1)));
}

export function formatValue(value: number, unit: GateUnit): string {
  if (unit === "percent") return `${round(value * 100, 2)} %`;
  if (unit === "seconds")
    return value < 1 ? `${round(value * 1_000, 1)} ms` : `${round(value, 2)} s`;
  return String(round(value, 2));
}

/** Missing data of `also` does not excuse a broken limit. */
function isAlsoBroken({ also }: Gate, measured: Measurement): boolean {
  const { value, limit } = measured.also ?? {};
  return also === undefined || value === undefined || limit === undefined || value > limit;
}

/** Merges the findings of all parts: the verdict and numbers of the worst, and the texts of all. */
export function mergeFindings(
  { parts = [] }: Gate,
  findings: readonly GateFinding[],
): GateFinding | undefined {
  const rank = { fail: 0, inconclusive: 1, pass: 2 };
  const [worst] = findings.toSorted((a, b) => rank[a.check.verdict] - rank[b.check.verdict]);
  if (worst === undefined) return undefined;
  const texts = findings.map(({ check }, index) => `${parts[index]?.part}: ${check.observed}`);
  return { ...worst, check: { ...worst.check, observed: texts.join("; ") } };
}

function isSomething(baseline: number | undefined): boolean {
  return baseline !== undefined && baseline >= SUSPICIOUS_BASELINE_MIN;
}

function isAbsolute(rule: GateRule): boolean {
  return rule.kind === "none" || rule.kind === "exactly";
}

/** A value within the slack satisfies the relative limit whatever the baseline was. */
function needsBaseline(rule: GateRule, value: number): boolean {
  if (rule.kind === "none" || rule.kind === "exactly") return false;
  if (rule.relative === undefined) return false;
  const { slack } = rule.relative;
  return slack === undefined || !isWithin(rule, value, slack);
}

/** Every bound that can be computed from the known numbers. */
function limitsOf(rule: GateRule, baseline: number | undefined): number[] {
  if (rule.kind === "none") return [0];
  if (rule.kind === "exactly") return [rule.value];
  const limits = rule.bound === undefined ? [] : [rule.bound];
  if (rule.relative === undefined || baseline === undefined) return limits;
  const { factor, margin, slack } = rule.relative;
  const relative = baseline * factor + margin;
  if (slack === undefined) return [...limits, relative];
  return [
    ...limits,
    rule.kind === "at-most" ? Math.max(relative, slack) : Math.min(relative, slack),
  ];
}

function isWithin(rule: GateRule, value: number, bound: number): boolean {
  if (rule.kind === "at-most") return value <= bound + NOTHING;
  if (rule.kind === "at-least") return value >= bound - NOTHING;
  return Math.abs(value - bound) < NOTHING;
}

function limitText({ rule, unit }: Gate, limits: readonly number[]): string {
  if (rule.kind === "none") return "none";
  if (rule.kind === "exactly") return `exactly ${formatValue(rule.value, unit)}`;
  if (limits.length === 0) return "the baseline's";
  const isAtMost = rule.kind === "at-most";
  const strictest = isAtMost ? Math.min(...limits) : Math.max(...limits);
  return `${isAtMost ? "at most" : "at least"} ${formatValue(strictest, unit)}`;
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
