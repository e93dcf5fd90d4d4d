import type { BucketState, View } from "../../services/limiter/bucket-state.ts";
import { releaseLeases, renewLeases } from "../../services/limiter/concurrency.ts";
import { decide, look, refund } from "../../services/limiter/decide.ts";
import { plainDigest } from "../../services/limiter/key-digest.ts";
import type { Policies } from "../../services/limiter/parse-policies.ts";
import { capacityOf, type Policy } from "../../services/limiter/policy.ts";
import { rowsOfKey } from "../../services/limiter/policy-rows.ts";
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
    const rows = wishes.flatMap((wish) => this.#rowsOf(wish));
    const rulings = rows.map((row) => this.#rule(row));
    const allowed = rulings.every((ruling) => ruling.allowed);
    for (const [index, { id }] of rows.entries()) {
      const ruling = rulings[index];
      if (allowed || ruling?.allowed === false) this.#states.set(id, ruling?.state);
    }
    if (!allowed) return { allowed, views: this.peek(wishes).views };
    const charge = { number: this.#charges++, atMs: this.nowMs, wishes };
    const views = this.#together(wishes, rulings);
    const decision = { allowed, views, charge };
    if (key !== undefined) this.#answers.set(key, { body, decision });
    return decision;
  }

  peek(wishes: readonly Wish[]): ModelDecision {
    const views = wishes
      .flatMap((wish) => this.#rowsOf(wish))
      .map(({ wish, id, rule }) =>
        look(rule, this.#states.get(id), this.nowMs, wish.cost ?? 1, leaseOf(wish)?.id),
      );
    return {
      allowed: views.every((view) => view.allowed),
      views: this.#together(wishes, views),
    };
  }

  refund(charge: ModelCharge): boolean {
    if (this.#refunded.has(charge.number)) return false;
    let isGiven = false;
    for (const { wish, id, rule } of charge.wishes.flatMap((wish) => this.#rowsOf(wish))) {
      const lease = leaseOf(wish);
      const given = refund(rule, this.#states.get(id), this.nowMs, {
        cost: wish.cost ?? 1,
        chargedAtMs: charge.atMs,
        ...(lease === undefined ? {} : { leaseId: lease.id }),
      });
      if (given === undefined) continue;
      this.#states.set(id, given);
      isGiven = true;
    }
    if (isGiven) this.#refunded.add(charge.number);
    return isGiven;
  }

  /** A place in the network is free again when it is in the address, and not before. */
  reset(wish: Wish): void {
    const [own, wider] = this.#rowsOf(wish);
    const state = own && this.#states.get(own.id);
    if (own !== undefined) this.#states.delete(own.id);
    if (wider === undefined) return;
    const network = this.#states.get(wider.id);
    if (network?.kind !== "concurrency") {
      this.#states.delete(wider.id);
      return;
    }
    const ended = state?.kind === "concurrency" ? state.leases.map(({ id }) => id) : [];
    const leases = network.leases.filter(({ id }) => !ended.includes(id));
    this.#states.set(wider.id, { ...network, leases });
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
          ? releaseLeases(state, this.nowMs, new Set([id]))
          : renewLeases(state, this.nowMs, new Set([id]), ttlMs);
      isHeld = true;
      if (after === undefined) isLost = true;
      else this.#states.set(bucket, after);
    }
    return !isHeld || isLost;
  }

  #rule({ wish, id, rule }: Row) {
    return decide(rule, this.#states.get(id), this.nowMs, wish.cost ?? 1, leaseOf(wish));
  }

  /** The row of an address and, where its policy says so, that of its network. */
  #rowsOf(wish: Wish): Row[] {
    const policy = this.#policies.get(wish.policy);
    if (policy === undefined) throw new Error(`the model has no policy ${wish.policy}`);
    const found = rowsOfKey(policy, wish.key, { isDoubtful: false, ipv6PrefixBits: 64 });
    if (found.kind !== "found") throw new Error(`${wish.key} is no key`);
    return found.rows.map(({ text, rule }) => ({ wish, rule, id: `${wish.policy} ${text}` }));
  }

  /** What the rows of each wish say together: the strictest of them. */
  #together(wishes: readonly Wish[], views: readonly View[]): View[] {
    const rest = [...views];
    return wishes.map((wish) => {
      const rows = this.#rowsOf(wish);
      const own = rest.splice(0, rows.length);
      const capacity = Math.max(...rows.slice(0, 1).map(({ rule }) => capacityOf(rule)));
      return {
        allowed: own.every((view) => view.allowed),
        remaining: Math.min(capacity, ...own.map((view) => view.remaining)),
        retryAfterMs: Math.max(...own.map((view) => view.retryAfterMs)),
        resetAfterMs: Math.max(...own.map((view) => view.resetAfterMs)),
      };
    });
  }
}

type Row = { wish: Wish; rule: Policy; id: string };

function leaseOf({ lease }: Wish): { id: string; ttlMs: number } | undefined {
  return lease && { ...lease, id: plainDigest(lease.id) };
}
