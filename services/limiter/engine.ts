import { DatabaseClock } from "./database-clock.ts";
import type { Events } from "./events.ts";
import { FlushRows } from "./flush-rows.ts";
import { FlushSpans } from "./flush-spans.ts";
import {
  countThatFit,
  endOverdue,
  insertByDeadline,
  type Lane,
  laneOfAll,
  newLane,
} from "./lane.ts";
import { NoDecisionError } from "./no-decision.ts";
import type { Operation } from "./operation.ts";
import { sqlStateOf } from "./sql-state.ts";
import { GROUP_LANE, type RowId, type Store } from "./store.ts";

/** More than a busy database decides within the time a decision may take. */
const QUEUE_MAX = 20_000;
/** How often waiting requests are checked for their deadline. */
const DEADLINE_CHECK_MS = 20;
/** Rows that vanish again and again are not worth more tries. */
const ATTEMPTS_MAX = 3;

/** SQLSTATE classes that tell of bad data: another flush without it would succeed. */
const DATA_CLASSES = new Set(["22", "23", "54"]);

/** Beside the lanes, which it only reads. */
const READER = GROUP_LANE + 1;

const NONE: ReadonlySet<Operation> = new Set();

/**
 * Decides in groups: whatever waits for a lane is decided by its next flush, in the order in which
 * it came, and answered only when that is committed. Errors are never retried here: what a lost
 * connection left behind nobody knows.
 */
export class Engine {
  readonly #store: Store;
  readonly #events: Events;
  readonly #onFailure: (error: unknown) => void;
  readonly #lanes: readonly Lane[] = Array.from({ length: GROUP_LANE + 1 }, (_, index) =>
    newLane(index),
  );
  readonly #reader: Lane = newLane(READER);
  readonly #spans = new FlushSpans();
  readonly #clock: DatabaseClock;
  #waiting = 0;
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
    const lane = this.#lanes[laneOfAll(operation.buckets)];
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
    if (this.#waiting >= QUEUE_MAX) {
      this.#events.shed();
      operation.fail(new NoDecisionError("overloaded"));
      return;
    }
    this.#waiting++;
    this.#spans.remember(operation);
    insertByDeadline(lane.waiting, operation);
    this.#watchDeadlines();
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
    }
    lane.isRunning = false;
  }

  async #runReader(): Promise<void> {
    const lane = this.#reader;
    for (let batch = this.#take(lane); batch.length > 0; batch = this.#take(lane)) {
      const rows = new FlushRows(batch);
      const startedAtMs = performance.now();
      try {
        rows.open(await this.#store.read(rows.wanted));
        for (const operation of batch) if (!operation.isSettled) operation.apply(rows);
        this.#waiting -= batch.length;
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
    const batch = taken.filter((operation) => !operation.isSettled);
    this.#waiting -= taken.length - batch.length;
    lane.current = batch;
    return batch.length === 0 && lane.waiting.length > 0 ? this.#take(lane) : batch;
  }

  async #flush(lane: Lane, batch: readonly Operation[]): Promise<void> {
    const startedAtMs = performance.now();
    const rows = new FlushRows(batch);
    let putBack: ReadonlySet<Operation> = NONE;
    try {
      const isCharged = await this.#chargeKnown(lane, batch, rows);
      if (!isCharged) putBack = await this.#decideLocked(lane, batch, rows);
    } catch (error) {
      rows.forget();
      await this.#recover(lane, batch, error);
      return;
    }
    this.#isFailing = false;
    rows.remember(startedAtMs);
    this.#waiting -= batch.length - putBack.size;
    for (const operation of batch) {
      if (!operation.isSettled && !putBack.has(operation)) operation.succeed();
    }
    this.#putBack(lane, [...putBack]);
    this.#events.flushed(batch.length, performance.now() - startedAtMs);
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

  /** Decides on locked rows. Answers the operations that miss some of theirs. */
  async #decideLocked(
    lane: Lane,
    batch: readonly Operation[],
    rows: FlushRows,
  ): Promise<ReadonlySet<Operation>> {
    const putBack = new Set<Operation>();
    const unknown = rows.unknown();
    if (unknown.length > 0) await this.#store.create(lane.index, unknown);
    await this.#store.flush(lane.index, rows.wanted, (found) => {
      this.#clock.read(found.nowMs);
      rows.open(found);
      putBack.clear();
      for (const operation of batch) {
        if (operation.isSettled) continue;
        if (operation.needsRows && rows.isMissing(operation)) putBack.add(operation);
        else operation.apply(rows);
      }
      return rows.changes();
    });
    return putBack;
  }

  /** Rows that were swept away in between are made again by the next flush. */
  #putBack(lane: Lane, operations: readonly Operation[]): void {
    if (operations.length === 0) return;
    this.#events.conflicted("missing-rows");
    const hopeless = operations.filter((operation) => ++operation.attempts > ATTEMPTS_MAX);
    this.#fail(hopeless, new Error("rows vanished repeatedly"));
    lane.waiting = [...operations.filter((o) => !hopeless.includes(o)), ...lane.waiting];
  }

  /** Splits a flush that failed on its data, so that one bad request is refused alone. */
  async #recover(lane: Lane, batch: readonly Operation[], error: unknown): Promise<void> {
    const sqlState = sqlStateOf(error);
    if (sqlState === "55P03") this.#events.conflicted("lock-timeout");
    if (!DATA_CLASSES.has(sqlState.slice(0, 2)) || batch.length === 1) {
      this.#fail(batch, error);
      return;
    }
    this.#events.conflicted("split");
    const half = batch.length >> 1;
    await this.#flush(lane, batch.slice(0, half));
    await this.#flush(lane, batch.slice(half));
  }

  #fail(batch: readonly Operation[], cause: unknown): void {
    if (batch.length === 0) return;
    this.#isFailing = true;
    this.#onFailure(cause);
    this.#waiting -= batch.length;
    for (const operation of batch) {
      if (!operation.isSettled) operation.fail(new NoDecisionError("database", cause));
    }
  }

  /** Only a bug gets here; whoever waits must not wait for ever. */
  #abandon(lane: Lane, error: Error): void {
    const batch = [...lane.current, ...lane.waiting];
    this.#waiting -= batch.length;
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
