import { DEBT_KINDS, type DebtKind } from "./find-debt.ts";

/** The amount of debt by kind. */
export type DebtCounts = Readonly<Record<DebtKind, number>>;

export type Comparison = { kind: DebtKind; count: number; allowed: number };

/** Compares each kind with the baseline. */
export function compareDebt(counts: DebtCounts, baseline: DebtCounts): Comparison[] {
  return DEBT_KINDS.map((kind) => ({ kind, count: counts[kind], allowed: baseline[kind] }));
}

/** Returns the next baseline: lowered where there is less debt, never raised. */
export function lowerBaseline(counts: DebtCounts, baseline: DebtCounts): DebtCounts {
  const lowered = { ...baseline };
  for (const kind of DEBT_KINDS) lowered[kind] = Math.min(counts[kind], baseline[kind]);
  return lowered;
}
