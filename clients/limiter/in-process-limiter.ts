import { randomUUID } from "node:crypto";
import type { BucketState } from "../../services/limiter/rules/bucket-state.ts";
import { decide, refund } from "../../services/limiter/rules/decide.ts";
import { type Mark, markOf } from "../../services/limiter/rules/mark.ts";
import type { Policies } from "../../services/limiter/rules/parse-policies.ts";
import { capacityOf, type Policy } from "../../services/limiter/rules/policy.ts";
import { rowsOfKey } from "../../services/limiter/rules/policy-rows.ts";
import { setNewest } from "../../services/runtime/set-newest.ts";
import type { BucketRequest } from "./bucket-request.ts";
import type { StandIn } from "./stand-in.ts";
import type { Verdict } from "./verdict.ts";

/** The most rows kept; the least recently used one is dropped. Bounds the memory of a process. */
const ROWS_MAX = 50_000;
/** The most charges that can be refunded; older ones stay charged. */
const RECEIPTS_MAX = 50_000;
/** No receipt of the limiter begins with this. */
const RECEIPT_PREFIX = "in-process:";

/** What a request takes from one row: that of its key, or of the key's wider network. */
type Demand = { id: string; policy: string; rule: Policy; cost: number };
type Taken = ReadonlyArray<{ demand: Demand; mark: Mark }>;

/**
 * Applies the policies within this process while limits fail open. Each process counts alone, so a
 * client gets at most the limit times the number of processes.
 */
export class InProcessLimiter {
  readonly #policies: Policies;
  readonly #ipv6PrefixBits: number;
  readonly #states = new Map<string, BucketState>();
  readonly #taken = new Map<string, Taken>();

  constructor({ policies, ipv6PrefixBits }: StandIn) {
    this.#policies = policies;
    this.#ipv6PrefixBits = ipv6PrefixBits;
  }

  /** Whether a receipt was issued in a process, not by the limiter. */
  static issued(receipt: string): boolean {
    return receipt.startsWith(RECEIPT_PREFIX);
  }

  /** Takes from all buckets or none; undefined when a bucket cannot be decided here. */
  consume(buckets: readonly BucketRequest[], nowMs: number): Verdict | undefined {
    const demands: Demand[] = [];
    for (const bucket of buckets) {
      const read = this.#read(bucket);
      // As in the limiter, each row may appear only once: rows are decided one by one.
      if (read === undefined || read.some(({ id }) => demands.some((one) => one.id === id))) {
        return undefined;
      }
      demands.push(...read);
    }
    const rulings = demands.map((demand) => ({
      demand,
      ruling: decide(demand.rule, this.#states.get(demand.id), nowMs, demand.cost),
    }));
    const refused = rulings.filter(({ ruling }) => !ruling.allowed);
    const [longest] = refused.sort((a, b) => b.ruling.retryAfterMs - a.ruling.retryAfterMs);
    if (longest !== undefined) {
      const { retryAfterMs } = longest.ruling;
      return { kind: "rejected", policy: longest.demand.policy, retryAfterMs, isFailOpen: true };
    }
    const taken = rulings.map(({ demand, ruling }) => {
      this.#remember(demand.id, ruling.state);
      return { demand, mark: markOf(ruling.state) };
    });
    const remaining = Math.min(...rulings.map(({ ruling }) => ruling.remaining));
    return {
      kind: "allowed",
      receipt: this.#issue(taken),
      remaining: Number.isFinite(remaining) ? remaining : 0,
      isFailOpen: true,
    };
  }

  /**
   * Returns what still counts of a charge, all of it or only under the named policies. False when
   * nothing counts any more, or the receipt is unknown or used.
   */
  refund(receipt: string, policies: readonly string[], nowMs: number): boolean {
    const taken = this.#taken.get(receipt);
    if (taken === undefined) return false;
    this.#taken.delete(receipt);
    let isGiven = false;
    for (const { demand, mark } of taken) {
      const { id, policy, rule, cost } = demand;
      if (policies.length > 0 && !policies.includes(policy)) continue;
      const state = refund(rule, this.#states.get(id), nowMs, { cost, mark });
      if (state === undefined) continue;
      this.#remember(id, state);
      isGiven = true;
    }
    return isGiven;
  }

  /** The rows that a bucket takes from: none if not enforced, undefined if it cannot be decided. */
  #read(bucket: BucketRequest): Demand[] | undefined {
    const policy = this.#policies.get(bucket.policy);
    const cost = bucket.cost ?? 1;
    if (policy === undefined || cost < 1 || cost > capacityOf(policy)) return undefined;
    const found = rowsOfKey(policy, bucket.key, {
      isDoubtful: bucket.doubtful === true,
      ipv6PrefixBits: this.#ipv6PrefixBits,
    });
    if (found.kind === "bad-key") return undefined;
    // A process sees only its own leases, so it cannot count those that are held at the same time.
    if (policy.mode !== "enforce" || policy.algorithm === "concurrency") return [];
    return found.rows.map(({ text, rule }) => {
      const id = `${policy.name}\n${text}`;
      return { id, policy: policy.name, rule, cost };
    });
  }

  #issue(taken: Taken): string {
    const receipt = `${RECEIPT_PREFIX}${randomUUID()}`;
    setNewest(this.#taken, receipt, taken, RECEIPTS_MAX);
    return receipt;
  }

  #remember(id: string, state: BucketState | undefined): void {
    if (state === undefined) this.#states.delete(id);
    else setNewest(this.#states, id, state, ROWS_MAX);
  }
}
