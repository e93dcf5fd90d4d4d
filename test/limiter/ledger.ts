import type { BucketState } from "../../services/limiter/rules/bucket-state.ts";
import type { Policy } from "../../services/limiter/rules/policy.ts";

/** A charge that still counts, by itself. */
type Entry = {
  charge: number;
  cost: number;
  /** Units that have not refilled. */
  left: number;
  /** Sub-windows since it was made. */
  age: number;
  leaseId: string | undefined;
};

/** As many sub-windows count: those of a period, and the one that has only begun. */
const RING = 11;

/**
 * What counts in a bucket, charge by charge: the truth about receipts, which the limiter has to
 * find from far less. It follows the bucket's states for time alone.
 */
export class Ledger {
  #entries: Entry[] = [];
  /** How often everything stopped counting at once. */
  beginnings = 0;

  /** Everything as of the state that is written next, `before` being the one until then. */
  settle(policy: Policy, before: BucketState | undefined, nowMs: number): void {
    if (before !== undefined && before.kind !== policy.algorithm) this.clear();
    this.#entries = this.#countingAt(policy, before, nowMs);
  }

  add(policy: Policy, charge: number, cost: number, leaseId?: string): void {
    // Having a lease again is no taking of it.
    const held = this.#entries.find(
      (entry) => entry.leaseId !== undefined && entry.leaseId === leaseId,
    );
    const unit = policy.algorithm === "token_bucket" ? policy.periodMs : 1;
    this.#entries.push({ charge, cost, left: cost * unit, age: held?.age ?? 0, leaseId });
  }

  /** What one charge counts by now, if it does. */
  find(
    policy: Policy,
    before: BucketState | undefined,
    nowMs: number,
    charge: number,
  ): Readonly<Entry> | undefined {
    if (before?.kind !== policy.algorithm) return undefined;
    return this.#countingAt(policy, before, nowMs).find((entry) => entry.charge === charge);
  }

  remove(gone: (entry: Readonly<Entry>) => boolean): void {
    this.#entries = this.#entries.filter((entry) => !gone(entry));
  }

  clear(): void {
    this.#entries = [];
    this.beginnings++;
  }

  #countingAt(policy: Policy, before: BucketState | undefined, nowMs: number): Entry[] {
    if (before === undefined || before.kind !== policy.algorithm) return [];
    return this.#entries.flatMap((entry) => advance(entry, policy, before, nowMs) ?? []);
  }
}

/** One charge later; undefined when it does not count any more. */
function advance(
  entry: Entry,
  policy: Policy,
  before: BucketState,
  nowMs: number,
): Entry | undefined {
  if (before.kind === "token_bucket" && policy.algorithm === "token_bucket") {
    const inUnits = (entry.left * policy.periodMs) / before.unit;
    const left = inUnits - Math.max(0, nowMs - before.atMs) * policy.limit;
    return left > 0 ? { ...entry, left } : undefined;
  }
  if (before.kind === "fixed_window" && policy.algorithm === "fixed_window") {
    return before.startMs >= windowStartMs(policy.period, nowMs) ? entry : undefined;
  }
  if (before.kind === "sliding_window" && policy.algorithm === "sliding_window") {
    const subWindowMs = Math.ceil(policy.periodMs / (RING - 1));
    const lastAtMs = before.index * before.subWindowMs;
    const moved = Math.floor(nowMs / subWindowMs) - Math.floor(lastAtMs / subWindowMs);
    // Under another period everything counts as charged when the bucket was written.
    const ageThen = before.subWindowMs === subWindowMs ? entry.age : 0;
    const age = ageThen + Math.max(0, moved);
    return age < RING ? { ...entry, age } : undefined;
  }
  if (before.kind === "concurrency") {
    const isHeld = before.leases.some(
      ({ id, expiresAtMs }) => id === entry.leaseId && expiresAtMs > nowMs,
    );
    return isHeld ? entry : undefined;
  }
  return undefined;
}

function windowStartMs(period: number | "hour" | "day" | "month", nowMs: number): number {
  const now = new Date(nowMs);
  switch (period) {
    case "month":
      return Date.UTC(now.getUTCFullYear(), now.getUTCMonth());
    case "day":
      return now.setUTCHours(0, 0, 0, 0);
    case "hour":
      return now.setUTCMinutes(0, 0, 0);
    default:
      return Math.floor(nowMs / period) * period;
  }
}
