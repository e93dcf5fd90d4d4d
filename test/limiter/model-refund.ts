import type { BucketState } from "../../services/limiter/rules/bucket-state.ts";
import { releaseLeases } from "../../services/limiter/rules/concurrency.ts";
import { look } from "../../services/limiter/rules/decide.ts";
import type { Policy } from "../../services/limiter/rules/policy.ts";

/** A bucket without what one charge counts in it, said in the plainest way. */
export function givenBack(
  policy: Policy,
  state: BucketState,
  nowMs: number,
  entry: { cost: number; left: number; age: number; leaseId: string | undefined },
): BucketState {
  const given = without(policy, state, nowMs, entry);
  const isExhausted = look(policy, { ...given, blockedUntilMs: 0 }, nowMs, 0).remaining === 0;
  return isExhausted ? given : { ...given, blockedUntilMs: 0, blockMs: 0 };
}

function without(
  policy: Policy,
  state: BucketState,
  nowMs: number,
  {
    cost,
    left,
    age,
    leaseId,
  }: { cost: number; left: number; age: number; leaseId: string | undefined },
): BucketState {
  if (state.kind === "token_bucket" && policy.algorithm === "token_bucket") {
    const unit = policy.periodMs;
    const refilled = Math.max(0, nowMs - state.atMs) * policy.limit;
    const used = Math.max(0, (state.used * unit) / state.unit - refilled) - left;
    return { ...state, used, atMs: nowMs, unit, rate: policy.limit };
  }
  if (state.kind === "fixed_window") return { ...state, count: state.count - cost };
  if (state.kind === "sliding_window" && policy.algorithm === "sliding_window") {
    const subWindowMs = Math.ceil(policy.periodMs / 10);
    const index = Math.floor(nowMs / subWindowMs);
    const isSame = state.subWindowMs === subWindowMs;
    const then = isSame
      ? state.counts
      : [state.counts.reduce((a, b) => a + b), ...state.counts.slice(1).map(() => 0)];
    const lastIndex = Math.floor((state.index * state.subWindowMs) / subWindowMs);
    const moved = Math.max(0, index - lastIndex);
    const counts = then.map((_, at) => (then[at - moved] ?? 0) - (at === age ? cost : 0));
    return { ...state, index, subWindowMs, counts };
  }
  if (state.kind === "concurrency") {
    return releaseLeases(state, nowMs, new Set([leaseId ?? ""])) ?? state;
  }
  return state;
}
