import type { Decision, Demand } from "./decision.ts";
import type { StoredAnswer } from "./store.ts";

/** Kept for longer than any caller retries. */
export const ANSWER_KEPT_MS = 10 * 60_000;

type Stored = { receipt: string; atMs: number; buckets: Array<[number, number, number, number]> };

/** The text an allowed decision is stored as. */
export function storeDecision({ charged, buckets }: Decision): string {
  const stored: Stored = {
    receipt: Buffer.from(charged?.receiptId ?? "", "latin1").toString("hex"),
    atMs: charged?.chargedAtMs ?? 0,
    buckets: buckets.map((b) => [b.limit, b.remaining, b.retryAfterMs, b.resetAfterMs]),
  };
  return JSON.stringify(stored);
}

/** The decision again, for the same request. */
export function restoreDecision({ answer }: StoredAnswer, demands: readonly Demand[]): Decision {
  const stored = JSON.parse(answer) as Stored;
  return {
    allowed: true,
    retryAfterMs: 0,
    buckets: demands.map(({ target }, index) => {
      const [limit = 0, remaining = 0, retryAfterMs = 0, resetAfterMs = 0] =
        stored.buckets[index] ?? [];
      return { policy: target.policy.name, limit, remaining, retryAfterMs, resetAfterMs };
    }),
    charged: {
      receiptId: Buffer.from(stored.receipt, "hex").toString("latin1"),
      chargedAtMs: stored.atMs,
      demands,
    },
  };
}
