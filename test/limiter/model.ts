import type { BucketState, View } from "../../services/limiter/bucket-state.ts";
import { releaseLease, renewLease } from "../../services/limiter/concurrency.ts";
import { decide, look, refund } from "../../services/limiter/decide.ts";
import { plainDigest } from "../../services/limiter/key-digest.ts";
import type { Policies } from "../../services/limiter/parse-policies.ts";
import type { Policy } from "../../services/limiter/policy.ts";
import type { Wish } from "./limiter-under-test.ts";

export type ModelCharge = { number: number; atMs: number; wishes: readonly Wish[] };
export type ModelDecision = { allowed: boolean; views: readonly View[]; charge?: ModelCharge };

/**
 * The limiter as one would explain it: one thing after another, a map of states and the rules,
 * which have proofs of their own. No lanes, no replicas, no encoding, nothing that can fail.
 */
export class Model {
  readonly #policies: Policies;
  readonly #states = new Map<string, BucketState | undefined>();
  readonly #answers = new Map<string, { body: string; decision: ModelDecision }>();
  readonly #refunded = new Set<number>();
  #charges = 0;
  nowMs: number;

  constructor(policies: Policies, nowMs: number) {
    this.#policies = policies;
    this.nowMs = nowMs;
  }

  consume(wishes: readonly Wish[], key?: string): ModelDecision | "key-reused" {
    const body = JSON.stringify(wishes);
    const first = key === undefined ? undefined : this.#answers.get(key);
    if (first !== undefined) return first.body === body ? first.decision : "key-reused";
    const rulings = wishes.map((wish) => this.#rule(wish));
    const allowed = rulings.every((ruling) => ruling.allowed);
    for (const [index, wish] of wishes.entries()) {
      const ruling = rulings[index];
      if (allowed || ruling?.allowed === false) this.#states.set(idOf(wish), ruling?.state);
    }
    if (!allowed) return { allowed, views: this.peek(wishes).views };
    const charge = { number: this.#charges++, atMs: this.nowMs, wishes };
    const views = rulings.map(({ state: _, ...view }) => view);
    const decision = { allowed, views, charge };
    if (key !== undefined) this.#answers.set(key, { body, decision });
    return decision;
  }

  peek(wishes: readonly Wish[]): ModelDecision {
    const views = wishes.map((wish) =>
      look(
        this.#policyOf(wish),
        this.#stateOf(wish),
        this.nowMs,
        wish.cost ?? 1,
        leaseOf(wish)?.id,
      ),
    );
    return { allowed: views.every((view) => view.allowed), views };
  }

  refund(charge: ModelCharge): boolean {
    if (this.#refunded.has(charge.number)) return false;
    let isGiven = false;
    for (const wish of charge.wishes) {
      const lease = leaseOf(wish);
      const given = refund(this.#policyOf(wish), this.#stateOf(wish), this.nowMs, {
        cost: wish.cost ?? 1,
        chargedAtMs: charge.atMs,
        ...(lease === undefined ? {} : { leaseId: lease.id }),
      });
      if (given === undefined) continue;
      this.#states.set(idOf(wish), given);
      isGiven = true;
    }
    if (isGiven) this.#refunded.add(charge.number);
    return isGiven;
  }

  reset(wish: Wish): void {
    this.#states.delete(idOf(wish));
  }

  /** Answers whether the lease is lost; without a TTL it is released. */
  changeLease(leaseId: string, ttlMs: number | undefined): boolean {
    const id = plainDigest(leaseId);
    let isHeld = false;
    let isLost = false;
    for (const [bucket, state] of this.#states) {
      if (state?.kind !== "concurrency" || !state.leases.some((lease) => lease.id === id)) continue;
      const after =
        ttlMs === undefined
          ? releaseLease(state, this.nowMs, id)
          : renewLease(state, this.nowMs, { id, ttlMs });
      isHeld = true;
      if (after === undefined) isLost = true;
      else this.#states.set(bucket, after);
    }
    return !isHeld || isLost;
  }

  #rule(wish: Wish) {
    const { cost = 1 } = wish;
    return decide(this.#policyOf(wish), this.#stateOf(wish), this.nowMs, cost, leaseOf(wish));
  }

  #stateOf(wish: Wish): BucketState | undefined {
    return this.#states.get(idOf(wish));
  }

  #policyOf({ policy }: Wish): Policy {
    const found = this.#policies.get(policy);
    if (found === undefined) throw new Error(`the model has no policy ${policy}`);
    return found;
  }
}

function idOf({ policy, key }: Wish): string {
  return `${policy} ${key}`;
}

function leaseOf({ lease }: Wish): { id: string; ttlMs: number } | undefined {
  return lease && { ...lease, id: plainDigest(lease.id) };
}
