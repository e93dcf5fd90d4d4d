import { plainDigest } from "../store/key-digest.ts";
import type { StoredAnswer } from "../store/store.ts";
import { bucketsOf, type Decision, type Demand } from "./decision.ts";

type Stored = {
  /** For programs that are older than the column. */
  receipt: string;
  atMs: number;
  /** Digest of the rows that were charged. */
  rows?: string;
  buckets: Array<[number, number, number, number]>;
  /** Beginning, place and unit of each row's mark; older programs stored none. */
  marks?: Array<[number, number, number]>;
};

/** The text an allowed decision is stored as. */
export function storeDecision({ charged, buckets }: Decision): string {
  const stored: Stored = {
    rows: digestOfRows(charged?.demands ?? []),
    receipt: Buffer.from(charged?.receiptId ?? "", "latin1").toString("hex"),
    atMs: charged?.chargedAtMs ?? 0,
    buckets: buckets.map((b) => [b.limit, b.remaining, b.retryAfterMs, b.resetAfterMs]),
    marks: charged?.marks.map(({ beginning, at, unit }) => [beginning, at, unit]) ?? [],
  };
  return JSON.stringify(stored);
}

/**
 * The decision again, for the same request; undefined when policies changed so that the request
 * takes from other rows now.
 */
export function restoreDecision(
  { answer, receiptId }: StoredAnswer,
  demands: readonly Demand[],
): Decision | undefined {
  const stored = JSON.parse(answer) as Stored;
  if (stored.rows !== undefined && stored.rows !== digestOfRows(demands)) return undefined;
  const marks = stored.marks?.map(([beginning, at, unit]) => ({ beginning, at, unit }));
  return {
    allowed: true,
    retryAfterMs: 0,
    buckets: demands.map(({ target }, index) => {
      const [limit = 0, remaining = 0, retryAfterMs = 0, resetAfterMs = 0] =
        stored.buckets[index] ?? [];
      return { policy: target.policy.name, limit, remaining, retryAfterMs, resetAfterMs };
    }),
    charged: marks && { receiptId, chargedAtMs: stored.atMs, demands, marks },
    isRepeated: true,
  };
}

function digestOfRows(demands: readonly Demand[]): string {
  const ids = bucketsOf(demands).map(({ id }) => id);
  return Buffer.from(plainDigest(ids.join("")), "latin1").toString("hex");
}
