import type { BucketState } from "../../services/limiter/bucket-state.ts";
import { decide } from "../../services/limiter/decide.ts";
import { limiterKeyOf } from "../../services/limiter/limiter-key.ts";
import type { Policies } from "../../services/limiter/parse-policies.ts";
import { capacityOf, type Policy } from "../../services/limiter/policy.ts";
import type { Bucket, Verdict } from "./verdict.ts";

/** Buckets kept at most; the one used longest ago makes room. Bounds the memory of one process. */
const BUCKETS_MAX = 50_000;
/** As the limiter does by default. */
const IPV6_PREFIX_BITS = 64;

type Charged = { id: string; policy: Policy; ruling: ReturnType<typeof decide> };

/**
 * Applies policies within this process alone, for as long as limits fail open: weaker than the
 * limiter by the number of processes, but far from no limit at all.
 */
export class InProcessLimiter {
  readonly #policies: Policies;
  readonly #states = new Map<string, BucketState>();

  constructor(policies: Policies) {
    this.#policies = policies;
  }

  /** Takes from all buckets or none; undefined when a bucket cannot be decided here. */
  consume(buckets: readonly Bucket[], nowMs: number): Verdict | undefined {
    const charged: Charged[] = [];
    for (const bucket of buckets) {
      const policy = this.#policies.get(bucket.policy);
      const key = policy === undefined ? undefined : keyOf(policy, bucket);
      const cost = bucket.cost ?? 1;
      if (policy === undefined || key === undefined || cost < 1 || cost > capacityOf(policy)) {
        return undefined;
      }
      // What is held at the same time cannot be counted by a process that sees only its own part.
      if (policy.mode !== "enforce" || policy.algorithm === "concurrency") continue;
      const id = `${policy.name}\n${key}`;
      // As in the limiter: each is decided by itself, so that it may be there only once.
      if (charged.some((other) => other.id === id)) return undefined;
      charged.push({ id, policy, ruling: decide(policy, this.#states.get(id), nowMs, cost) });
    }
    const refused = charged.filter(({ ruling }) => !ruling.allowed);
    const [longest] = refused.sort((a, b) => b.ruling.retryAfterMs - a.ruling.retryAfterMs);
    if (longest !== undefined) {
      const { retryAfterMs } = longest.ruling;
      return { kind: "rejected", policy: longest.policy.name, retryAfterMs, isFailOpen: true };
    }
    for (const { id, ruling } of charged) this.#remember(id, ruling.state);
    const remaining = Math.min(...charged.map(({ ruling }) => ruling.remaining));
    return {
      kind: "allowed",
      receipt: "",
      remaining: Number.isFinite(remaining) ? remaining : 0,
      isFailOpen: true,
    };
  }

  #remember(id: string, state: BucketState | undefined): void {
    this.#states.delete(id);
    if (state === undefined) return;
    this.#states.set(id, state);
    if (this.#states.size <= BUCKETS_MAX) return;
    for (const oldest of this.#states.keys()) {
      this.#states.delete(oldest);
      return;
    }
  }
}

function keyOf(policy: Policy, bucket: Bucket): string | undefined {
  if (policy.key === "text") return bucket.key;
  const space = policy.key === "address" ? -1 : bucket.key.indexOf(" ");
  const address = space < 0 ? bucket.key : bucket.key.slice(0, space);
  const network = limiterKeyOf(address, IPV6_PREFIX_BITS);
  if (network === undefined) return undefined;
  const rest = space < 0 ? "" : bucket.key.slice(space);
  return `${bucket.doubtful === true ? "sock" : "fwd"}:${network}${rest}`;
}
