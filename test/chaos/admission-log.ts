import { windowAround } from "../../services/limiter/rules/fixed-window.ts";
import type { Policies } from "../../services/limiter/rules/parse-policies.ts";
import type { Policy } from "../../services/limiter/rules/policy.ts";

/** The admissions as the callers saw them; times are the database's, from the receipts. */
export class AdmissionLog {
  readonly #admitted = new Map<string, number[]>();
  #unknown = new Map<string, number>();
  decisions = 0;
  allowed = 0;
  lost = 0;

  admit(policy: string, key: string, atMs: number): void {
    const id = `${policy} ${key}`;
    const times = this.#admitted.get(id);
    if (times === undefined) this.#admitted.set(id, [atMs]);
    else times.push(atMs);
  }

  /** A request that may or may not have been charged. */
  lose(policy: string, key: string): void {
    const id = `${policy} ${key}`;
    this.#unknown.set(id, (this.#unknown.get(id) ?? 0) + 1);
  }

  countOf(policy: string, key: string): { admitted: number; unknown: number } {
    const id = `${policy} ${key}`;
    return {
      admitted: this.#admitted.get(id)?.length ?? 0,
      unknown: this.#unknown.get(id) ?? 0,
    };
  }

  /** Returns every bucket that admitted more than its policy allows, with the time. */
  findViolations(policies: Policies): string[] {
    return [...this.#admitted].flatMap(([id, times]) => {
      const policy = policies.get(id.split(" ", 1)[0] ?? "");
      if (policy === undefined) return [`${id}: admitted under no policy`];
      const violation = findViolation(
        policy,
        times.sort((a, b) => a - b),
      );
      return violation === undefined ? [] : [`${id}: ${violation}`];
    });
  }
}

function findViolation(policy: Policy, times: readonly number[]): string | undefined {
  switch (policy.algorithm) {
    case "token_bucket":
      return findTokenBucketViolation(policy, times);
    case "fixed_window":
      return findWindowViolation(policy.limit, times, (atMs) => windowAround(policy.period, atMs));
    case "sliding_window":
      return findWindowViolation(policy.limit, times, (atMs) => ({
        startMs: atMs,
        endMs: atMs + policy.periodMs,
      }));
    case "concurrency":
      return undefined;
  }
}

/** In any interval: at most the burst and the refill. Counts in whole parts of tokens. */
function findTokenBucketViolation(
  policy: Policy & { algorithm: "token_bucket" },
  times: readonly number[],
): string | undefined {
  const { limit, periodMs, burst } = policy;
  let used = 0;
  let lastMs = times[0] ?? 0;
  for (const atMs of times) {
    used = Math.max(0, used - (atMs - lastMs) * limit) + periodMs;
    lastMs = atMs;
    if (used > burst * periodMs) return `${used / periodMs} of ${burst} at ${atMs}`;
  }
  return undefined;
}

/** In the window that starts at, or contains, each admission: at most the limit. */
function findWindowViolation(
  limit: number,
  times: readonly number[],
  windowOf: (atMs: number) => { startMs: number; endMs: number },
): string | undefined {
  let from = 0;
  let to = 0;
  for (const atMs of times) {
    const { startMs, endMs } = windowOf(atMs);
    while ((times[from] ?? startMs) < startMs) from++;
    while (to < times.length && (times[to] ?? endMs) < endMs) to++;
    if (to - from > limit) return `${to - from} of ${limit} from ${startMs}`;
  }
  return undefined;
}
