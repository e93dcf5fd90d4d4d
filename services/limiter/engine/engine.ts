import { setTimeout as sleep } from "node:timers/promises";
import type { Events } from "../events.ts";
import { hasWaitedTooLong, sqlStateOf } from "../store/sql-state.ts";
import { type Found, HELD_LANE, type RowId, type Store, TableHeldError } from "../store/store.ts";
import { DatabaseClock } from "./database-clock.ts";
import { FlushRows } from "./flush-rows.ts";
import { FlushSpans } from "./flush-spans.ts";
import { HeldRows } from "./held-rows.ts";
import {
  countThatFit,
  endOverdue,
  insertByDeadline,
  type Lane,
  laneOfAll,
  newLane,
  takeLikeFirst,
} from "./lane.ts";
import { NoDecisionError } from "./no-decision.ts";
import type { Operation } from "./operation.ts";

/** More than a busy database decides within the time a decision may take. */
const QUEUE_MAX = 20_000;
/** Rows that those have: what waits refers to its keys, so it is bounded like a cache. */
const QUEUE_ROWS_MAX = 60_000;
/** How often waiting requests are checked for their deadline. */
const DEADLINE_CHECK_MS = 20;
/** Rows that vanish again and again are not worth more tries. */
const ATTEMPTS_MAX = 3;

/** How often rows that several are needed of are looked for while some of them are held. */
const HELD_RETRY_MS = 20;
/** How long a lane does not wait for rows after it has waited too long for one. */
const HURRY_MS = 1_000;

/** SQLSTATE classes that tell of bad data: another flush without it would succeed. */
const DATA_CLASSES = new Set(["22", "23", "54"]);
/**
 * unique_violation: another flush has claimed an idempotency key or a receipt in the meantime, and
 * is committed. So a second look finds what it left.
 */
const CLAIMED_MEANWHILE = "23505";
/** Each time others were faster; more than this is no coincidence. */
const CLAIMS_MAX = 5;

/** Beside the lanes, which it only reads. */
const READER = HELD_LANE + 1;

/** What of a flush was not decided. */
type Left = {
  /** Rows of these are missing. */
  missing: readonly Operation[];
  /** Rows of these are held by somebody else. */
  held: readonly Operation[];
};

const NOTHING_LEFT: Left = { missing: [], held: [] };

/**
 * Decides in groups: whatever waits for a lane is decided by its next flush, in the order in which
 * it came, and answered only when that is committed. Errors are never retried here: what a lost
 * connection left behind nobody knows.
 */
export class Engine {
  readonly #store: Store;
  readonly #events: Events;
  readonly #onFailure: (error: unknown) => void;
  readonly #lanes: readonly Lane[] = Array.from({ length: HELD_LANE + 1 }, (_, index) =>
    newLane(index),
  );
  readonly #reader: Lane = newLane(READER);
  readonly #spans = new FlushSpans();
  readonly #clock: DatabaseClock;
  readonly #heldRows = new HeldRows();
  #waiting = 0;
  #waitingRows = 0;
  #isDraining = false;
  #isFailing = false;
  #deadlineTimer: NodeJS.Timeout | undefined;

  constructor(
    store: Store,
    options: {
      createEvents: (queueDepth: () => number) => Events;
      onFailure: (error: unknown) => void;
      /** Tells how much time has passed; unset for this process's steady clock. */
      localMs?: () => number;
    },
  ) {
    this.#store = store;
    this.#events = options.createEvents(() => this.#waiting);
    this.#onFailure = options.onFailure;
    this.#clock = new DatabaseClock(options.localMs ?? (() => performance.now()));
  }

  /** Whether the last flush could not be decided. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  get events(): Events {
    return this.#events;
  }

  /** Has an operation applied to its locked rows. */
  submit(operation: Operation): void {
    const { buckets } = operation;
    const isHeld = this.#heldRows.hasAny(buckets, () => performance.now());
    const lane = this.#lanes[isHeld ? HELD_LANE : laneOfAll(buckets)];
    if (lane !== undefined) this.#enqueue(lane, operation);
  }

  /** Has an operation applied to its rows as they are committed, without locking them. */
  read(operation: Operation): void {
    this.#enqueue(this.#reader, operation);
  }

  /** The buckets that hold leases, as committed. */
  async findLeases(ids: readonly RowId[]): Promise<ReadonlyArray<{ id: RowId; bucketId: RowId }>> {
    if (this.#isDraining) throw new NoDecisionError("draining");
    try {
      return await this.#store.findLeases(ids);
    } catch (error) {
      this.#isFailing = true;
      this.#onFailure(error);
      throw new NoDecisionError("database", error);
    }
  }

  /** Refuses what comes from now on, and waits for what is under way. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    while (this.#waiting > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    clearInterval(this.#deadlineTimer);
  }

  #enqueue(lane: Lane, operation: Operation): void {
    if (this.#isDraining) {
      operation.fail(new NoDecisionError("draining"));
      return;
    }
    const rows = operation.buckets.length;
    if (this.#waiting >= QUEUE_MAX || this.#waitingRows + rows > QUEUE_ROWS_MAX) {
      this.#events.shed();
      operation.fail(new NoDecisionError("overloaded"));
      return;
    }
    this.#waiting++;
    this.#waitingRows += rows;
    this.#spans.remember(operation);
    insertByDeadline(lane.waiting, operation);
    this.#watchDeadlines();
    this.#wake(lane);
  }

  #wake(lane: Lane): void {
    if (lane.isRunning) return;
    lane.isRunning = true;
    // What else arrives in this turn of the event loop shares the flush. A flush belongs to no
    // single request, so it does not run in the trace of one.
    setImmediate(() => {
      const run = lane === this.#reader ? this.#runReader() : this.#runLane(lane);
      run.catch((error: Error) => this.#abandon(lane, error));
    });
  }

  async #runLane(lane: Lane): Promise<void> {
    for (let batch = this.#take(lane); batch.length > 0; batch = this.#take(lane)) {
      const current = batch;
      await this.#spans.run(current, () => this.#flush(lane, current));
      if (lane.index === HELD_LANE) await this.#waitForFirst(lane, current);
    }
    lane.isRunning = false;
  }

  /**
   * In the lane of held rows, whatever is free is decided at once; then the row of who waits
   * longest is waited for, in the line that the database forms for it. Who needs several tries
   * again a little later: waiting for one of them would keep the others locked.
   */
  async #waitForFirst(lane: Lane, flushed: readonly Operation[]): Promise<void> {
    const [first] = lane.waiting;
    if (first === undefined || !flushed.includes(first)) return;
    if (first.buckets.length > 1) {
      await sleep(HELD_RETRY_MS);
      return;
    }
    const batch = takeLikeFirst(lane);
    lane.current = batch;
    await this.#spans.run(batch, () => this.#flush(lane, batch, true));
  }

  async #runReader(): Promise<void> {
    const lane = this.#reader;
    for (let batch = this.#take(lane); batch.length > 0; batch = this.#take(lane)) {
      const rows = new FlushRows(batch);
      const startedAtMs = performance.now();
      try {
        rows.open(await this.#store.read(rows.wanted));
        for (const operation of batch) if (!operation.isSettled) operation.apply(rows);
        this.#leaveQueue(batch);
        rows.remember(startedAtMs);
        for (const operation of batch) if (!operation.isSettled) operation.succeed();
      } catch (error) {
        this.#fail(batch, error);
      }
    }
    lane.isRunning = false;
  }

  #take(lane: Lane): readonly Operation[] {
    const count = countThatFit(lane.waiting);
    const taken = count === lane.waiting.length ? lane.waiting : lane.waiting.slice(0, count);
    lane.waiting = count === lane.waiting.length ? [] : lane.waiting.slice(count);
    const batch = this.#withoutSettled(taken);
    lane.current = batch;
    return batch.length === 0 && lane.waiting.length > 0 ? this.#take(lane) : batch;
  }

  /** What was settled since, because its deadline came, is not worth deciding. */
  #withoutSettled(operations: readonly Operation[]): readonly Operation[] {
    const settled = operations.filter((operation) => operation.isSettled);
    if (settled.length === 0) return operations;
    this.#leaveQueue(settled);
    return operations.filter((operation) => !operation.isSettled);
  }

  #leaveQueue(operations: readonly Operation[]): void {
    this.#waiting -= operations.length;
    for (const { buckets } of operations) this.#waitingRows -= buckets.length;
  }

  async #flush(
    lane: Lane,
    operations: readonly Operation[],
    isPatient = lane.index !== HELD_LANE && lane.hurriesUntilMs <= performance.now(),
    claims = 0,
  ): Promise<void> {
    const batch = this.#withoutSettled(operations);
    if (batch.length === 0) return;
    const startedAtMs = performance.now();
    const rows = new FlushRows(batch);
    let left = NOTHING_LEFT;
    try {
      const isCharged = isPatient && (await this.#chargeKnown(lane, batch, rows));
      if (!isCharged) left = await this.#decideLocked(lane, batch, rows, isPatient);
    } catch (error) {
      rows.forget();
      if (sqlStateOf(error) === CLAIMED_MEANWHILE && claims < CLAIMS_MAX) {
        this.#events.conflicted("claimed-meanwhile");
        await this.#flush(lane, batch, isPatient, claims + 1);
      } else {
        await this.#recover(lane, batch, error, isPatient);
      }
      return;
    }
    this.#isFailing = false;
    rows.remember(startedAtMs);
    this.#finish(lane, batch, left);
    this.#events.flushed(batch.length, performance.now() - startedAtMs);
  }

  /** Answers what was decided, and has the rest decided by another flush. */
  #finish(lane: Lane, batch: readonly Operation[], { missing, held }: Left): void {
    const isAllDecided = missing.length + held.length === 0;
    const left = isAllDecided ? undefined : new Set([...missing, ...held]);
    const decided = left === undefined ? batch : batch.filter((operation) => !left.has(operation));
    this.#leaveQueue(decided);
    for (const operation of decided) if (!operation.isSettled) operation.succeed();
    this.#putBack(lane, missing);
    this.#putAside(held);
  }

  /**
   * Decides on what is known of the rows, and commits it if they are still like that. False when
   * that was not possible, or not to be expected: then nothing is changed.
   */
  async #chargeKnown(lane: Lane, batch: readonly Operation[], rows: FlushRows): Promise<boolean> {
    const nowMs = this.#clock.earliestMs();
    const known = nowMs === undefined ? undefined : rows.known(nowMs);
    if (nowMs === undefined || known === undefined || !lane.guesses.isWorthIt()) return false;
    rows.open(known);
    for (const operation of batch) if (!operation.isSettled) operation.apply(rows);
    const buckets = rows.charges();
    if (buckets === undefined) return false;
    const readMs = await this.#store.charge(lane.index, { nowMs, buckets });
    if (readMs === undefined) {
      this.#events.conflicted("not-as-known");
      this.#clock.forget();
      lane.guesses.wasWrong();
      return false;
    }
    this.#clock.read(readMs);
    lane.guesses.wasRight();
    return true;
  }

  /** Decides on locked rows, and answers what could not be decided. */
  async #decideLocked(
    lane: Lane,
    batch: readonly Operation[],
    rows: FlushRows,
    isPatient: boolean,
  ): Promise<Left> {
    const unknown = rows.unknown();
    const unmade =
      unknown.length === 0 ? NONE : await this.#store.create(lane.index, unknown, isPatient);
    const missing: Operation[] = [];
    const held: Operation[] = [];
    const decide = (found: Found) => {
      this.#clock.read(found.nowMs);
      rows.open(unmade.size === 0 ? found : withHeld(found, unmade));
      missing.length = 0;
      held.length = 0;
      for (const operation of batch) {
        if (operation.isSettled) continue;
        if (rows.isHeld(operation)) held.push(operation);
        else if (operation.needsRows && rows.isMissing(operation)) missing.push(operation);
        else operation.apply(rows);
      }
      this.#noteHeld(lane, rows, isPatient);
      return rows.changes();
    };
    await this.#store.flush(lane.index, rows.wanted, decide, isPatient && unmade.size === 0);
    return { missing, held };
  }

  #noteHeld(lane: Lane, { held, wanted }: FlushRows, isPatient: boolean): void {
    if (held.size > 0) {
      this.#events.conflicted("held-rows");
      this.#heldRows.add(held, performance.now());
      lane.hurriesUntilMs = performance.now() + HURRY_MS;
    }
    if (isPatient && lane.index !== HELD_LANE) return;
    for (const id of wanted.buckets) if (!held.has(id)) this.#heldRows.release(id);
  }

  /** Rows that were swept away in between are made again by the next flush. */
  #putBack(lane: Lane, operations: readonly Operation[]): void {
    if (operations.length === 0) return;
    this.#events.conflicted("missing-rows");
    const hopeless = operations.filter((operation) => ++operation.attempts > ATTEMPTS_MAX);
    this.#fail(hopeless, new Error("rows vanished repeatedly"));
    lane.waiting = [...operations.filter((o) => !hopeless.includes(o)), ...lane.waiting];
  }

  /** Has what needs held rows wait for them where it keeps nobody else waiting. */
  #putAside(operations: readonly Operation[]): void {
    const lane = this.#lanes[HELD_LANE];
    if (operations.length === 0 || lane === undefined) return;
    for (const operation of operations) insertByDeadline(lane.waiting, operation);
    this.#wake(lane);
  }

  /**
   * A flush that has waited too long for a row passes over what is held. One that failed on its
   * data is split, so that one bad request is refused alone.
   */
  async #recover(
    lane: Lane,
    batch: readonly Operation[],
    error: unknown,
    isPatient: boolean,
  ): Promise<void> {
    const hasWaited = hasWaitedTooLong(error);
    if (hasWaited) this.#events.conflicted("lock-timeout");
    if (hasWaited && isPatient) {
      lane.hurriesUntilMs = performance.now() + HURRY_MS;
      if (lane.index === HELD_LANE) this.#putAside(batch);
      else await this.#flush(lane, batch, false);
      return;
    }
    const isSplit = hasWaited || DATA_CLASSES.has(sqlStateOf(error).slice(0, 2));
    if (!isSplit || batch.length === 1 || error instanceof TableHeldError) {
      this.#fail(batch, error);
      return;
    }
    this.#events.conflicted("split");
    for (const part of splitBySuspicion(batch)) await this.#flush(lane, part, isPatient);
  }

  #fail(batch: readonly Operation[], cause: unknown): void {
    if (batch.length === 0) return;
    this.#isFailing = true;
    this.#onFailure(cause);
    this.#leaveQueue(batch);
    for (const operation of batch) {
      if (!operation.isSettled) operation.fail(new NoDecisionError("database", cause));
    }
  }

  /** Only a bug gets here; whoever waits must not wait for ever. */
  #abandon(lane: Lane, error: Error): void {
    const batch = [...lane.current, ...lane.waiting];
    this.#leaveQueue(batch);
    lane.waiting = [];
    lane.isRunning = false;
    for (const operation of batch) if (!operation.isSettled) operation.fail(error);
  }

  /** Waiting ends at the deadline, whatever the database does. */
  #watchDeadlines(): void {
    this.#deadlineTimer ??= setInterval(
      () => setImmediate(() => this.#endOverdue()),
      DEADLINE_CHECK_MS,
    );
  }

  /** Runs after answers of the database that have arrived were looked at. */
  #endOverdue(): void {
    const nowMs = performance.now();
    for (const lane of [...this.#lanes, this.#reader]) {
      endOverdue(lane.current, nowMs);
      endOverdue(lane.waiting, nowMs);
    }
    if (this.#waiting > 0) return;
    clearInterval(this.#deadlineTimer);
    this.#deadlineTimer = undefined;
  }
}

const NONE: ReadonlySet<RowId> = new Set();

/** Rows that could not be made are held by whoever is making or deleting them. */
function withHeld(found: Found, unmade: ReadonlySet<RowId>): Found {
  const missing = [...found.missing].filter((id) => !unmade.has(id));
  const held = [...unmade].filter((id) => found.missing.has(id));
  return { ...found, missing: new Set(missing), held: new Set([...found.held, ...held]) };
}

/** What writes only rows that it has locked apart from the rest, or else halves. */
function splitBySuspicion(batch: readonly Operation[]): ReadonlyArray<readonly Operation[]> {
  const isTrusted = ({ answerId, receiptId }: Operation) =>
    answerId === undefined && receiptId === undefined;
  const trusted = batch.filter(isTrusted);
  if (trusted.length > 0 && trusted.length < batch.length) {
    return [trusted, batch.filter((operation) => !isTrusted(operation))];
  }
  const half = batch.length >> 1;
  return [batch.slice(0, half), batch.slice(half)];
}
