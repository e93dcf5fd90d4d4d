import { DEBT_KINDS, type DebtKind } from "./find-debt.ts";

/** How much there is of each kind. */
export type DebtCounts = Readonly<Record<DebtKind, number>>;

export type Comparison = { kind: DebtKind; count: number; allowed: number };

/** Each kind beside what the baseline allows. */
export function compareDebt(counts: DebtCounts, baseline: DebtCounts): Comparison[] {
  return DEBT_KINDS.map((kind) => ({ kind, count: counts[kind], allowed: baseline[kind] }));
}

/** The next baseline: lower where there is less, and never higher. */
export function lowerBaseline(counts: DebtCounts, baseline: DebtCounts): DebtCounts {
  const lowered = { ...baseline };
  for (const kind of DEBT_KINDS) lowered[kind] = Math.min(counts[kind], baseline[kind]);
  return lowered;
}
