import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { type Context, context } from "@opentelemetry/api";
import type { Decision, LimiterService } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import type { BucketRequest } from "./bucket-request.ts";
import { type Answer, sendConsumes } from "./consume-call.ts";
import { type Batch, FairQueue } from "./fair-queue.ts";
import { LoopTime } from "./loop-time.ts";
import { overloaded } from "./no-decision.ts";
import { type Evidence, judgeAnswers, judgeFailure, SILENCE } from "./way-evidence.ts";
import { type Share, weightOf } from "./work-class.ts";

/** How often deadlines are checked. */
const TICK_MS = 20;
/** The part of its deadline that a request may spend in the queue; the call needs the rest. */
const WAITING_SHARE_MAX = 0.5;
/** How far beyond its deadline a request may wait after a stall, as a part of the deadline. */
const STALL_SHARE_MAX = 1;
/** A call ends after this many deadlines, however slowly this process runs: it blocks a slot. */
const CALL_SHARE_MAX = 3;

/** Created once: shedding must cost next to nothing. */
const SHED = overloaded("too many requests wait for the limiter");
const WAITED_TOO_LONG = overloaded("the request waited too long for its turn");

/** A request that waits or is in flight. */
type Pending = {
  readonly buckets: readonly BucketRequest[];
  /** The trace context of the caller. */
  readonly caller: Context;
  readonly sinceMs: number;
  readonly sinceWallMs: number;
  isSettled: boolean;
  resolve(decision: Decision | undefined): void;
  reject(error: unknown): void;
};

type Call = {
  readonly batch: Batch<Pending>;
  readonly sentMs: number;
  readonly sentWallMs: number;
  /** When the oldest of its requests arrived. */
  readonly oldestWallMs: number;
  readonly abort: AbortController;
  isOver: boolean;
};

export type CoalescerOptions = {
  client: Client<typeof LimiterService>;
  /** The deadline of one decision, including its time in the queue. */
  timeoutMs: number;
  shareOf: (buckets: readonly BucketRequest[]) => Share;
  /** Whether the limiter rejected this share a moment ago: its requests are shed first. */
  isRejected: (share: Share) => boolean;
  /** Called with what each call shows about the way to the limiter, before its requests settle. */
  onEvidence: (evidence: Evidence) => void;
  /** A monotonic clock; `performance.now` when unset. */
  localMs?: () => number;
};

/**
 * Sends consumes to the limiter: one by one while there is room, in batches under load. Classes of
 * work and keys take turns. Deadlines count only time in which the event loop ran: a wait in this
 * queue, or a stall of this process, says nothing about the limiter.
 */
export class Coalescer {
  readonly #options: CoalescerOptions;
  readonly #localMs: () => number;
  readonly #queue = new FairQueue<Pending>(weightOf);
  readonly #calls = new Set<Call>();
  readonly #loop = new LoopTime(TICK_MS);
  #ticking: NodeJS.Timeout | undefined;
  #wasLate = false;

  constructor(options: CoalescerOptions) {
    this.#options = options;
    this.#localMs = options.localMs ?? (() => performance.now());
  }

  /** Resolves with the limiter's decision; rejects with a ConnectError. */
  consume(buckets: readonly BucketRequest[]): Promise<Decision | undefined> {
    const share = this.#options.shareOf(buckets);
    const sinceWallMs = this.#localMs();
    this.#startTicking(sinceWallMs);
    const sinceMs = this.#loop.read(sinceWallMs);
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        buckets,
        caller: context.active(),
        sinceMs,
        sinceWallMs,
        isSettled: false,
        resolve,
        reject,
      };
      const isRejected = this.#options.isRejected(share);
      const shed = this.#queue.push(pending, share, sinceMs, isRejected);
      if (shed !== undefined) refuse(shed, SHED);
      this.#send();
    });
  }

  /** Rejects every waiting request: the limiter cannot be reached. */
  refuseWaiting(): void {
    const error = new ConnectError("the limiter cannot be reached", Code.Unavailable);
    for (const pending of this.#queue.expire(Number.POSITIVE_INFINITY)) refuse(pending, error);
  }

  #send(): void {
    for (let batch = this.#queue.take(); batch !== undefined; batch = this.#queue.take()) {
      void this.#call(batch);
    }
  }

  /** Sends an additional call for keys with none in flight: slow calls must not delay them. */
  #sendNewcomers(): void {
    const batch = this.#queue.takeNewcomers();
    if (batch !== undefined) void this.#call(batch);
  }

  async #call(batch: Batch<Pending>): Promise<void> {
    const { client, timeoutMs } = this.#options;
    const sentWallMs = this.#localMs();
    const sentMs = this.#loop.read(sentWallMs);
    const oldestWallMs = batch.items.reduce((oldest, { sinceWallMs }) => {
      return Math.min(oldest, sinceWallMs);
    }, sentWallMs);
    const abort = new AbortController();
    const call = { batch, sentMs, sentWallMs, oldestWallMs, abort, isOver: false };
    this.#calls.add(call);
    try {
      const { signal } = call.abort;
      const answers = await sendConsumes(client, batch.items, { timeoutMs, signal });
      if (!call.isOver) this.#settle(call, answers);
    } catch (error) {
      const evidence = judgeFailure(error, batch.items);
      if (!call.isOver) this.#end(call, evidence, error);
    }
  }

  #settle(call: Call, answers: readonly Answer[]): void {
    this.#over(call, judgeAnswers(answers, call.batch.items));
    for (const [index, answer] of answers.entries()) {
      const pending = call.batch.items[index];
      if (pending === undefined || pending.isSettled) continue;
      pending.isSettled = true;
      if ("error" in answer) pending.reject(answer.error);
      else pending.resolve(answer.decision);
    }
    this.#send();
  }

  /** Ends a call that brought no answers. */
  #end(call: Call, evidence: Evidence | undefined, error: unknown): void {
    this.#over(call, evidence);
    for (const pending of call.batch.items) refuse(pending, error);
    this.#send();
  }

  #over(call: Call, evidence: Evidence | undefined): void {
    call.isOver = true;
    this.#calls.delete(call);
    this.#queue.done(call.batch, this.#loop.read(this.#localMs()) - call.sentMs);
    if (evidence !== undefined) this.#options.onEvidence(evidence);
  }

  #startTicking(nowMs: number): void {
    if (this.#ticking !== undefined) return;
    this.#loop.start(nowMs);
    this.#wasLate = false;
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    const isLate = this.#loop.tick(this.#localMs());
    // After a stall, answers that arrived meanwhile are read before deadlines are checked.
    const isSkipped = isLate && !this.#wasLate;
    this.#wasLate = isSkipped;
    if (!isSkipped) setImmediate(() => this.#endOverdue());
  }

  #endOverdue(): void {
    const { timeoutMs } = this.#options;
    const wallMs = this.#localMs();
    const nowMs = this.#loop.read(wallMs);
    for (const pending of this.#queue.expire(nowMs - timeoutMs * WAITING_SHARE_MAX)) {
      refuse(pending, WAITED_TOO_LONG);
    }
    for (const call of [...this.#calls]) {
      if (nowMs - call.sentMs >= timeoutMs) {
        // It was on the wire for the whole deadline, and this process could have read an answer.
        this.#giveUp(call, SILENCE);
      } else if (wallMs - call.sentWallMs >= timeoutMs * CALL_SHARE_MAX) {
        this.#giveUp(call, undefined);
      } else {
        this.#refuseOverdue(call, nowMs, wallMs);
      }
    }
    this.#sendNewcomers();
    if (this.#calls.size > 0 || this.#queue.waiting > 0) return;
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }

  #giveUp(call: Call, evidence: Evidence | undefined): void {
    this.#end(call, evidence, tooLate());
    call.abort.abort();
  }

  /** Rejects requests that are over their deadline before their call is: they had waited first. */
  #refuseOverdue(call: Call, nowMs: number, wallMs: number): void {
    const { timeoutMs } = this.#options;
    if (wallMs - call.oldestWallMs < timeoutMs) return;
    const latestMs = timeoutMs * (1 + STALL_SHARE_MAX);
    for (const pending of call.batch.items) {
      const isOverdue =
        nowMs - pending.sinceMs >= timeoutMs || wallMs - pending.sinceWallMs >= latestMs;
      if (isOverdue) refuse(pending, tooLate());
    }
  }
}

/** Settles a request, unless it is settled already. */
function refuse(pending: Pending, error: unknown): void {
  if (pending.isSettled) return;
  pending.isSettled = true;
  pending.reject(error);
}

function tooLate(): ConnectError {
  return new ConnectError("the limiter did not answer in time", Code.DeadlineExceeded);
}
