import type { Changes } from "./store.ts";

/** Whether a change is no more than a charge on a token bucket made now. */
export function isCharge({ before, after }: Changes["buckets"][number], nowMs: number): boolean {
  return (
    before?.kind === "token_bucket" &&
    after?.kind === "token_bucket" &&
    after.atMs === nowMs &&
    // The rule included, and what refilled under those before.
    after.lineage === before.lineage &&
    after.blockedUntilMs === before.blockedUntilMs
  );
}
