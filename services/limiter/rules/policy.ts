/** What the key of a bucket is. */
export type KeyShape = "address" | "text" | "address_and_text";

/** How a policy takes part in decisions. */
export type PolicyMode = "enforce" | "shadow" | "off";

/** A second bucket for the wider network of an address, charged in the same decision. */
export type WiderNetwork = { prefixBits: number; limit: number };

type PolicyBase = {
  name: string;
  key: KeyShape;
  mode: PolicyMode;
  /** Once exhausted, reject for at least this long; 0 for not at all. */
  blockForMs: number;
  wider?: WiderNetwork;
};

/** Refills evenly: `limit` per period, with at most `burst` at once. */
export type TokenBucketPolicy = PolicyBase & {
  algorithm: "token_bucket";
  limit: number;
  periodMs: number;
  burst: number;
};

/** At most `limit` in any period, however it is laid. */
export type SlidingWindowPolicy = PolicyBase & {
  algorithm: "sliding_window";
  limit: number;
  periodMs: number;
};

/** The calendar's own periods, in UTC. */
export type CalendarPeriod = "hour" | "day" | "month";

/** At most `limit` in each aligned window. */
export type FixedWindowPolicy = PolicyBase & {
  algorithm: "fixed_window";
  limit: number;
  /** Milliseconds, aligned to the Unix epoch; or a period of the calendar. */
  period: number | CalendarPeriod;
};

/** At most `limit` at once, each held by a lease. */
export type ConcurrencyPolicy = PolicyBase & { algorithm: "concurrency"; limit: number };

export type Policy =
  | TokenBucketPolicy
  | SlidingWindowPolicy
  | FixedWindowPolicy
  | ConcurrencyPolicy;

/** The most that can be taken at once. */
export function capacityOf(policy: Policy): number {
  return policy.algorithm === "token_bucket" ? policy.burst : policy.limit;
}

const MONTH_MS_MAX = 31 * 86_400_000;
const CALENDAR_MS: Readonly<Record<CalendarPeriod, number>> = {
  hour: 3_600_000,
  day: 86_400_000,
  month: MONTH_MS_MAX,
};

/** After this time nothing that was charged under a policy counts any more. */
export function longestPeriodMs(policy: Policy): number {
  switch (policy.algorithm) {
    case "token_bucket":
      return Math.max(
        policy.blockForMs,
        Math.ceil((policy.burst * policy.periodMs) / policy.limit),
      );
    case "sliding_window":
      return Math.max(policy.blockForMs, 2 * policy.periodMs);
    case "fixed_window":
      return Math.max(
        policy.blockForMs,
        typeof policy.period === "number" ? policy.period : CALENDAR_MS[policy.period],
      );
    case "concurrency":
      return 0;
  }
}
