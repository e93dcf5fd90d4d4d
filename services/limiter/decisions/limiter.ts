import { randomBytes } from "node:crypto";
import type { Engine } from "../engine/engine.ts";
import { NoDecisionError } from "../engine/no-decision.ts";
import { countDecision } from "../events.ts";
import { plainDigest } from "../store/key-digest.ts";
import type { RowId } from "../store/store.ts";
import type { Target } from "./bucket-directory.ts";
import { type Consumed, ConsumeOperation, type Idempotency } from "./consume-operation.ts";
import { type Decision, type Demand, findRememberedRejection } from "./decision.ts";
import { LeaseOperation } from "./lease-operation.ts";
import { PeekOperation } from "./peek-operation.ts";
import { type RefundEntry, RefundOperation } from "./refund-operation.ts";
import { ResetOperation } from "./reset-operation.ts";

/**
 * A shadow bucket never changes an answer, so it is not waited for much longer than a flush takes.
 */
const SHADOW_WAIT_MS = 50;
/** Refunds, resets and other replicas' charges take effect by then. */
const REMEMBERED_MS = 250;

const TWO_TO_32 = 4_294_967_296;

/** Decides requests: what is enforced as one group, what is in the shadow by itself. */
export class Limiter {
  readonly #engine: Engine;
  readonly #waitMs: number;
  readonly #rememberedMs: number;
  readonly #shadowWaitMs: number;
  readonly #receiptPrefix = randomBytes(8).toString("latin1");
  #receipts = 0;

  constructor(options: {
    engine: Engine;
    /** How long a request may wait for its decision. */
    waitMs: number;
    /** How long what was read of a bucket may reject without being read again. */
    rememberedMs?: number;
    /** How long a shadow is waited for. */
    shadowWaitMs?: number;
  }) {
    this.#engine = options.engine;
    this.#waitMs = options.waitMs;
    this.#rememberedMs = options.rememberedMs ?? REMEMBERED_MS;
    this.#shadowWaitMs = options.shadowWaitMs ?? SHADOW_WAIT_MS;
  }

  /** Takes from all buckets that are enforced, or from none. Rejects when nothing can be decided. */
  consume(demands: readonly Demand[], idempotency?: Idempotency): Promise<Consumed> {
    for (const { target } of demands) {
      if (target.policy.mode !== "enforce") return this.#consumeMixed(demands, idempotency);
    }
    return this.#consumeEnforced(demands, idempotency);
  }

  /** What `consume` would answer; always read from what is committed. */
  async peek(demands: readonly Demand[]): Promise<Decision> {
    const enforced = demands.filter(({ target }) => target.policy.mode === "enforce");
    const decision = await this.#peek(enforced);
    if (enforced.length === demands.length) return decision;
    const others = demands.filter(({ target }) => target.policy.mode !== "enforce");
    const shadows = await Promise.all(
      others.map(async (demand) => await this.#lookAtShadow(demand)),
    );
    return merge(demands, decision, new Map(others.map((demand, i) => [demand, shadows[i]])));
  }

  /** Gives back what of a receipt still counts; false when nothing does, or it was given back. */
  refund(receiptId: RowId, entries: readonly RefundEntry[]): Promise<boolean> {
    if (entries.length === 0) return Promise.resolve(false);
    return new Promise((resolve, reject) => {
      const deadlineMs = this.#deadlineMs();
      this.#engine.submit(new RefundOperation({ receiptId, entries, deadlineMs, resolve, reject }));
    });
  }

  /** Empties the bucket of a target, on behalf of a caller; false when nothing counted there. */
  reset(target: Target, caller: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const deadlineMs = this.#deadlineMs();
      this.#engine.submit(new ResetOperation({ target, caller, deadlineMs, resolve, reject }));
    });
  }

  /**
   * Puts off the end of leases by a TTL, or ends them at once when it is unset. Answers those
   * that were not held.
   */
  async changeLeases(ids: readonly RowId[], ttlMs: number | undefined): Promise<Set<RowId>> {
    const deadlineMs = this.#deadlineMs();
    const entries = await this.#engine.findLeases(ids);
    const found = new Set(entries.map(({ id }) => id));
    const lost = new Set(ids.filter((id) => !found.has(id)));
    if (entries.length === 0) return lost;
    const ended = await new Promise<ReadonlySet<RowId>>((resolve, reject) => {
      const options = { entries, ttlMs, deadlineMs, resolve, reject };
      this.#engine.submit(new LeaseOperation(options));
    });
    return new Set([...lost, ...ended]);
  }

  #consumeEnforced(
    demands: readonly Demand[],
    idempotency: Idempotency | undefined,
  ): Promise<Consumed> {
    // A retry must find its first answer, which what is remembered of the buckets does not hold.
    const remembered =
      idempotency === undefined ? findRememberedRejection(demands, this.#rememberedMs) : undefined;
    if (remembered !== undefined) {
      countDecision(this.#engine.events, demands, remembered);
      return Promise.resolve(remembered);
    }
    return this.#submit(demands, idempotency, this.#nextReceiptId());
  }

  #submit(
    demands: readonly Demand[],
    idempotency: Idempotency | undefined,
    receiptId: RowId,
    follows?: { isRepeated: boolean },
  ): Promise<Consumed> {
    return new Promise((resolve, reject) => {
      this.#engine.submit(
        new ConsumeOperation(demands, {
          events: this.#engine.events,
          ...{ idempotency, receiptId, follows },
          deadlineMs: this.#deadlineMs(),
          resolve,
          reject,
        }),
      );
    });
  }

  async #consumeMixed(
    demands: readonly Demand[],
    idempotency: Idempotency | undefined,
  ): Promise<Consumed> {
    const enforced = demands.filter(({ target }) => target.policy.mode === "enforce");
    const consumed =
      enforced.length === 0
        ? await this.#consumeNothing(idempotency)
        : await this.#consumeEnforced(enforced, idempotency);
    if (consumed === "key-reused") return consumed;
    const shadows = new Map<Demand, Decision | undefined>();
    await Promise.all(
      demands.map(async (demand, index) => {
        if (demand.target.policy.mode !== "shadow") return;
        const shadow =
          consumed.charged === undefined
            ? await this.#lookAtShadow(demand)
            : await this.#consumeShadow(demand, {
                receiptId: consumed.charged.receiptId,
                idempotency: idempotency && shadowIdempotency(idempotency, index),
                isRepeated: consumed.isRepeated === true,
              });
        shadows.set(demand, shadow);
      }),
    );
    return merge(demands, consumed, shadows);
  }

  /**
   * Allowed because nothing is enforced. The key of a request is claimed all the same, so that a
   * retry is known; when that takes too long, nothing is charged in the shadow either.
   */
  async #consumeNothing(idempotency: Idempotency | undefined): Promise<Consumed> {
    const receiptId = this.#nextReceiptId();
    if (idempotency === undefined) return unlimited(receiptId);
    const claimed = await this.#withinShadowWait(this.#submit([], idempotency, receiptId));
    return claimed ?? unlimited(undefined);
  }

  /** Undefined when the shadow could not be decided in time. */
  async #consumeShadow(
    demand: Demand,
    main: { receiptId: RowId; idempotency: Idempotency | undefined; isRepeated: boolean },
  ): Promise<Decision | undefined> {
    const { receiptId, idempotency } = main;
    const remembered =
      idempotency === undefined ? findRememberedRejection([demand], this.#rememberedMs) : undefined;
    if (remembered !== undefined) {
      countDecision(this.#engine.events, [demand], remembered);
      return remembered;
    }
    const submitted = this.#submit([demand], idempotency, receiptId, main);
    const consumed = await this.#withinShadowWait(submitted);
    return consumed === "key-reused" ? undefined : consumed;
  }

  async #lookAtShadow(demand: Demand): Promise<Decision | undefined> {
    if (demand.target.policy.mode === "off") return undefined;
    return await this.#withinShadowWait(this.#peek([demand]));
  }

  async #withinShadowWait<T>(decided: Promise<T>): Promise<T | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const waited = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, this.#shadowWaitMs, undefined);
    });
    try {
      return await Promise.race([decided, waited]);
    } catch (error) {
      if (error instanceof NoDecisionError) return undefined;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #peek(demands: readonly Demand[]): Promise<Decision> {
    if (demands.length === 0) return Promise.resolve(unlimited(undefined));
    return new Promise((resolve, reject) => {
      const deadlineMs = this.#deadlineMs();
      this.#engine.read(new PeekOperation({ demands, deadlineMs, resolve, reject }));
    });
  }

  #deadlineMs(): number {
    return performance.now() + this.#waitMs;
  }

  #nextReceiptId(): RowId {
    const number = ++this.#receipts;
    const high = Math.floor(number / TWO_TO_32);
    return this.#receiptPrefix + fourBytes(high) + fourBytes(number);
  }
}

function fourBytes(number: number): string {
  return String.fromCharCode(
    (number >>> 24) & 255,
    (number >>> 16) & 255,
    (number >>> 8) & 255,
    number & 255,
  );
}

/** What is enforced nowhere is allowed; it is charged at most in the shadow. */
function unlimited(receiptId: RowId | undefined): Decision {
  const none = { chargedAtMs: Date.now(), demands: [], marks: [] };
  const charged = receiptId === undefined ? undefined : { receiptId, ...none };
  return { allowed: true, retryAfterMs: 0, buckets: [], charged };
}

/** What names the charge in the shadow of a request that may come again. */
function shadowIdempotency({ id, body }: Idempotency, index: number): Idempotency {
  return { id: plainDigest(`shadow\n${index}\n${id}`), body };
}

/** Puts what the shadows say in its place; one that says nothing counts as full, and uncharged. */
function merge(
  demands: readonly Demand[],
  enforced: Decision,
  shadows: ReadonlyMap<Demand, Decision | undefined>,
): Decision {
  const decided = enforced.buckets.values();
  const buckets = demands.map((demand) => {
    const { policy, capacity } = demand.target;
    const full = {
      policy: policy.name,
      limit: capacity,
      remaining: capacity,
      retryAfterMs: 0,
      resetAfterMs: 0,
    };
    if (policy.mode === "enforce") return decided.next().value ?? full;
    return shadows.get(demand)?.buckets[0] ?? full;
  });
  const { charged } = enforced;
  if (charged === undefined) return { ...enforced, buckets };
  const shadowed = [...shadows.values()].flatMap((shadow) => shadow?.charged ?? []);
  const all = [charged, ...shadowed];
  const [first] = all.filter(({ demands: taken }) => taken.length > 0);
  return {
    ...enforced,
    buckets,
    // Nothing was charged, so there is nothing to name: all policies are off, or reject.
    charged: first && {
      receiptId: charged.receiptId,
      // By the clock of the database, which nothing else here tells.
      chargedAtMs: first.chargedAtMs,
      demands: all.flatMap((each) => each.demands),
      marks: all.flatMap((each) => each.marks),
    },
  };
}
