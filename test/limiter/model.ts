import type { BucketState, View } from "../../services/limiter/rules/bucket-state.ts";
import { releaseLeases, renewLeases } from "../../services/limiter/rules/concurrency.ts";
import { decide, look } from "../../services/limiter/rules/decide.ts";
import type { Policies } from "../../services/limiter/rules/parse-policies.ts";
import { capacityOf, type Policy } from "../../services/limiter/rules/policy.ts";
import { rowsOfKey } from "../../services/limiter/rules/policy-rows.ts";
import { plainDigest } from "../../services/limiter/store/key-digest.ts";
import { Ledger } from "./ledger.ts";
import type { Wish } from "./limiter-under-test.ts";
import { givenBack } from "./model-refund.ts";

export type ModelCharge = { number: number; rows: readonly ChargedRow[] };
export type ModelDecision = {
  allowed: boolean;
  views: readonly View[];
  /** Set when something was charged. */
  charge?: ModelCharge;
};

/** What a request with a key was answered, and what that promised. */
type Answer = {
  body: string;
  expiresAtMs: number;
  number: number;
  views: readonly View[];
  rows: readonly ChargedRow[];
  beginnings: readonly number[];
};

type Row = { wish: Wish; rule: Policy; id: string; isWider: boolean };
/** A row with the charge in it. */
type ChargedRow = Row & { charge: number };
type Bucket = { state: BucketState | undefined; ledger: Ledger };

/** For so long answers are kept. */
const ANSWER_KEPT_MS = 600_000;

/**
 * The limiter as one would explain it: one thing after another, a map of states with the rules,
 * which have proofs of their own, and a ledger of every charge. No lanes, no replicas, no encoding,
 * no marks, nothing that can fail.
 */
export class Model {
  #policies: Policies;
  readonly #buckets = new Map<string, Bucket>();
  readonly #answers = new Map<string, Answer>();
  readonly #refunded = new Set<number>();
  #charges = 0;
  nowMs: number;

  constructor(policies: Policies, nowMs: number) {
    this.#policies = policies;
    this.nowMs = nowMs;
  }

  /** All replicas start again with other policies. */
  changePolicies(policies: Policies): void {
    this.#policies = policies;
  }

  consume(wishes: readonly Wish[], key?: string): ModelDecision | "key-reused" {
    const body = JSON.stringify(wishes);
    const enforced = wishes.filter((wish) => this.#policyOf(wish).mode === "enforce");
    const first = this.#decide(enforced, { key, body, number: undefined });
    if (first === "key-reused") return first;
    const { decision: main, isRepeated, number } = first;
    const taken: ChargedRow[] = [...(main.charge?.rows ?? [])];
    const views = main.views.values();
    const all = wishes.map((wish, index) => {
      const { mode } = this.#policyOf(wish);
      if (mode === "enforce") return views.next().value ?? fullView(this.#policyOf(wish));
      if (mode === "off") return fullView(this.#policyOf(wish));
      const shadow = main.allowed
        ? this.#shadow(wish, { key: key && `${key} ${index}`, body, number }, isRepeated)
        : this.#look([wish]);
      taken.push(...(shadow.charge?.rows ?? []));
      return shadow.views[0] ?? fullView(this.#policyOf(wish));
    });
    const charge = taken.length === 0 ? {} : { charge: { number, rows: taken } };
    return { allowed: main.allowed, views: all, ...charge };
  }

  peek(wishes: readonly Wish[]): ModelDecision {
    const modeOf = (wish: Wish) => this.#policyOf(wish).mode;
    const views = wishes.map((wish) =>
      modeOf(wish) === "off"
        ? fullView(this.#policyOf(wish))
        : (this.#look([wish]).views[0] ?? fullView(this.#policyOf(wish))),
    );
    const allowed = wishes.every(
      (wish, index) => modeOf(wish) !== "enforce" || views[index]?.allowed,
    );
    return { allowed, views };
  }

  refund({ number, rows }: ModelCharge): boolean {
    if (this.#refunded.has(number)) return false;
    let isGiven = false;
    for (const row of rows) {
      const rule = this.#ruleNow(row);
      const bucket = this.#bucket(row.id);
      const entry = rule && bucket.ledger.find(rule, bucket.state, this.nowMs, row.charge);
      if (rule === undefined || entry === undefined || bucket.state === undefined) continue;
      bucket.ledger.settle(rule, bucket.state, this.nowMs);
      bucket.state = givenBack(rule, bucket.state, this.nowMs, entry);
      const { leaseId } = entry;
      bucket.ledger.remove(
        (other) =>
          other.charge === row.charge || (leaseId !== undefined && other.leaseId === leaseId),
      );
      isGiven = true;
    }
    if (isGiven) this.#refunded.add(number);
    return isGiven;
  }

  /** A place in the network is free again when it is in the address, and not before. */
  reset(wish: Wish): boolean {
    const [own, wider] = this.#rowsOf(wish).map((row) => ({ row, ...this.#bucket(row.id) }));
    const isReset = [own, wider].some(
      (one) => one?.state !== undefined && this.#counts(one.row.rule, one.state),
    );
    const ended = own?.state?.kind === "concurrency" ? own.state.leases.map(({ id }) => id) : [];
    if (own !== undefined) this.#empty(own.row.id);
    if (wider === undefined) return isReset;
    const { state } = wider;
    if (state?.kind !== "concurrency") {
      this.#empty(wider.row.id);
      return isReset;
    }
    const bucket = this.#bucket(wider.row.id);
    bucket.state = { ...state, leases: state.leases.filter(({ id }) => !ended.includes(id)) };
    bucket.ledger.remove(({ leaseId = "" }) => ended.includes(leaseId));
    return isReset;
  }

  /** Answers whether the lease is lost; without a TTL it is released. */
  changeLease(leaseId: string, ttlMs: number | undefined): boolean {
    const id = plainDigest(leaseId);
    let isHeld = false;
    let isLost = false;
    for (const bucket of this.#buckets.values()) {
      const { state } = bucket;
      if (state?.kind !== "concurrency" || !state.leases.some((lease) => lease.id === id)) continue;
      const after =
        ttlMs === undefined
          ? releaseLeases(state, this.nowMs, new Set([id]))
          : renewLeases(state, this.nowMs, new Set([id]), ttlMs);
      isHeld = true;
      if (after === undefined) isLost = true;
      else {
        const left = new Set(after.leases.map((lease) => lease.id));
        bucket.ledger.remove((entry) => !left.has(entry.leaseId ?? ""));
        bucket.state = after;
      }
    }
    return !isHeld || isLost;
  }

  /** What is decided as one: what is enforced, or one shadow. */
  #decide(
    wishes: readonly Wish[],
    { key, body, number }: { key: string | undefined; body: string; number: number | undefined },
  ): { decision: ModelDecision; isRepeated: boolean; number: number } | "key-reused" {
    const rows = wishes.flatMap((wish) => this.#rowsOf(wish));
    const answer = key === undefined ? undefined : this.#answers.get(key);
    if (answer !== undefined && answer.expiresAtMs > this.nowMs) {
      if (answer.body !== body) return "key-reused";
      const isOfRequest = number === undefined || number === answer.number;
      if (isOfRequest && this.#stands(answer, rows)) {
        const { views, number: same, rows: charged } = answer;
        const decision = { allowed: true, views, charge: { number: same, rows: charged } };
        return { decision, isRepeated: true, number: same };
      }
    }
    // A shadow that is decided anew is another charge under the same receipt.
    const charge = this.#charges++;
    const own = number ?? charge;
    const charged = rows.map((row) => ({ ...row, charge }));
    const rulings = rows.map((row) => this.#rule(row));
    const allowed = rulings.every((ruling) => ruling.allowed);
    for (const [index, row] of rows.entries()) {
      const ruling = rulings[index];
      const bucket = this.#bucket(row.id);
      if (ruling === undefined || (!allowed && ruling.allowed) || ruling.state === bucket.state) {
        continue;
      }
      bucket.ledger.settle(row.rule, bucket.state, this.nowMs);
      if (isCutOff(row.rule, bucket.state, this.nowMs)) bucket.ledger.clear();
      bucket.state = ruling.state;
      const { wish } = row;
      if (allowed) bucket.ledger.add(row.rule, charge, wish.cost ?? 1, leaseOf(wish)?.id);
    }
    if (!allowed) return { decision: this.#look(wishes), isRepeated: false, number: own };
    const views = this.#together(wishes, rulings);
    const decision = { allowed, views, charge: { number: own, rows: charged } };
    if (key !== undefined) {
      const beginnings = rows.map(({ id }) => this.#bucket(id).ledger.beginnings);
      const expiresAtMs = this.nowMs + ANSWER_KEPT_MS;
      this.#answers.set(key, { body, expiresAtMs, number: own, views, rows: charged, beginnings });
    }
    return { decision, isRepeated: false, number: own };
  }

  #shadow(
    wish: Wish,
    claim: { key: string | undefined; body: string; number: number },
    isRepeated: boolean,
  ): ModelDecision {
    const known = claim.key === undefined ? undefined : this.#answers.get(claim.key);
    const isKnown = known !== undefined && known.expiresAtMs > this.nowMs;
    if (isRepeated && !isKnown) return this.#look([wish]);
    const shadow = this.#decide([wish], claim);
    return shadow === "key-reused" ? this.#look([wish]) : shadow.decision;
  }

  /** Whether nothing has undone what an answer promised; time alone ends only leases. */
  #stands({ number, rows, beginnings }: Answer, now: readonly Row[]): boolean {
    if (this.#refunded.has(number)) return false;
    if (rows.map(({ id }) => id).join() !== now.map(({ id }) => id).join()) return false;
    return now.every(({ id, rule, wish }, index) => {
      const { state, ledger } = this.#bucket(id);
      if (state?.kind !== rule.algorithm || ledger.beginnings !== beginnings[index]) return false;
      const charge = rows[index]?.charge ?? number;
      return !wish.lease || ledger.find(rule, state, this.nowMs, charge) !== undefined;
    });
  }

  #look(wishes: readonly Wish[]): ModelDecision {
    const views = wishes
      .flatMap((wish) => this.#rowsOf(wish))
      .map(({ wish, id, rule }) =>
        look(rule, this.#bucket(id).state, this.nowMs, wish.cost ?? 1, leaseOf(wish)?.id),
      );
    return { allowed: views.every((view) => view.allowed), views: this.#together(wishes, views) };
  }

  #rule({ wish, id, rule }: Row) {
    return decide(rule, this.#bucket(id).state, this.nowMs, wish.cost ?? 1, leaseOf(wish));
  }

  #empty(id: string): void {
    const bucket = this.#bucket(id);
    bucket.state = undefined;
    bucket.ledger.clear();
  }

  #counts(rule: Policy, state: BucketState): boolean {
    const { remaining, resetAfterMs } = look(rule, state, this.nowMs, 0);
    return remaining < capacityOf(rule) || resetAfterMs > 0;
  }

  #bucket(id: string): Bucket {
    const bucket = this.#buckets.get(id) ?? { state: undefined, ledger: new Ledger() };
    this.#buckets.set(id, bucket);
    return bucket;
  }

  #policyOf({ policy: name }: Wish): Policy {
    const policy = this.#policies.get(name);
    if (policy === undefined) throw new Error(`the model has no policy ${name}`);
    return policy;
  }

  /** The rule of a row that was charged; undefined when nothing takes from it any more. */
  #ruleNow({ wish, id }: Row): Policy | undefined {
    return this.#rowsOf(wish).find((row) => row.id === id)?.rule;
  }

  /** The row of an address and, where its policy says so, that of its network. */
  #rowsOf(wish: Wish): Row[] {
    const policy = this.#policyOf(wish);
    const found = rowsOfKey(policy, wish.key, { isDoubtful: false, ipv6PrefixBits: 64 });
    if (found.kind !== "found") throw new Error(`${wish.key} is no key`);
    return found.rows.map(({ text, rule }, index) => ({
      ...{ wish, rule, id: `${policy.mode} ${wish.policy} ${text}` },
      isWider: index > 0,
    }));
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

/** What was used beyond what there is cannot be told apart once it is cut off. */
function isCutOff(rule: Policy, state: BucketState | undefined, nowMs: number): boolean {
  if (rule.algorithm !== "token_bucket" || state?.kind !== "token_bucket") return false;
  const used = (state.used * rule.periodMs) / state.unit;
  return used - Math.max(0, nowMs - state.atMs) * rule.limit > rule.burst * rule.periodMs;
}

function fullView(policy: Policy): View {
  return { allowed: true, remaining: capacityOf(policy), retryAfterMs: 0, resetAfterMs: 0 };
}

function leaseOf({ lease }: Wish): { id: string; ttlMs: number } | undefined {
  return lease && { ...lease, id: plainDigest(lease.id) };
}
