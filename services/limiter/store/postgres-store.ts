import { createDatabaseTelemetry } from "../../runtime/database-telemetry.ts";
import { bigintArray, rowIdFromUuid, uuidArray } from "./binary-array.ts";
import { isCharge } from "./charge.ts";
import type { PostgresConnection, Step, WireRow } from "./postgres-connection.ts";
import {
  bucketParameters,
  chargeParameters,
  knownParameters,
  leaseChanges,
  leasesFromRows,
  ringParameters,
  stateFromRow,
} from "./postgres-rows.ts";
import { PostgresSlots } from "./postgres-slots.ts";
import { STATEMENTS } from "./postgres-statements.ts";
import { SWEEP_STATEMENTS, sweepPostgres } from "./postgres-sweep.ts";
import { hasWaitedTooLong, sqlStateOf } from "./sql-state.ts";
import {
  type Changes,
  type Found,
  HELD_LANE,
  type KnownCharges,
  type RowId,
  type Store,
  type StoredAnswer,
  SweepError,
  TableHeldError,
  type Wanted,
} from "./store.ts";

/** The client gives up a little after the server should have, so that the server's reason wins. */
const CLIENT_SLACK_MS = 30;

/** Of the time for which rows may be held: whoever waits for one keeps others waiting too. */
const LOCK_SHARE = 0.4;
/** How long to look for rows that cannot be made, because somebody else is making them. */
const SEARCH_MS_MAX = 80;

/** Connections beside the lanes': for reads, for finding leases, and for housekeeping. */
const READS = HELD_LANE + 1;
const LEASES = HELD_LANE + 2;
const HOUSEKEEPING = HELD_LANE + 3;
/** Backends that a process holds for its decisions, whatever the database does. */
const CONNECTIONS = HOUSEKEEPING + 1;

/**
 * The planner knows neither how many ids come nor that they are few among many rows; the only
 * good plan is to look each up by the index.
 */
const PLANNER_SETTINGS = {
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  enable_material: "off",
  jit: "off",
};

export type PostgresStoreOptions = {
  url: string;
  synchronousCommit: string;
  /**
   * How long a replica that stops in the middle of a flush can hold rows, and how long others wait
   * for them. Below the time a decision may take.
   */
  holdTimeoutMs: number;
  /**
   * How long ago charges on known rows may have been decided. Unset for `holdTimeoutMs`, which is
   * how late a decision on locked rows may be committed.
   */
  decidedAgoMsMax?: number;
};

/** Keeps buckets in Postgres: exact and durable over any number of replicas. */
export class PostgresStore implements Store {
  readonly #options: PostgresStoreOptions;
  readonly #slots: PostgresSlots;
  readonly #turns = new Map<number, Promise<unknown>>();
  readonly #telemetry = createDatabaseTelemetry();
  #sweepFromBlock = 0;
  #isDurable = false;

  constructor(options: PostgresStoreOptions) {
    this.#options = options;
    this.#slots = new PostgresSlots({
      ...connectionOptions(options),
      count: CONNECTIONS,
      onOpen: async (connection) => await this.#readDurability(connection),
    });
  }

  /** Whether what is answered survives a crash of the server, as its settings were read last. */
  get isDurable(): boolean {
    return this.#isDurable;
  }

  /** Opens all connections, so that no decision has to wait for one. May be asked again. */
  async warmUp(): Promise<void> {
    await this.#slots.openAll();
  }

  async create(
    lane: number,
    ids: readonly RowId[],
    isPatient: boolean,
  ): Promise<ReadonlySet<RowId>> {
    const connection = await this.#connect(lane);
    if (isPatient) {
      try {
        await this.#execute(connection, [createStep(ids)]);
        return NONE;
      } catch (error) {
        if (!hasWaitedTooLong(error)) throw error;
      }
    }
    const held = new Set<RowId>();
    await this.#createHastily(connection, ids, held, performance.now() + SEARCH_MS_MAX);
    return held;
  }

  /** Makes what can be made without waiting; finds the rest by halves. */
  async #createHastily(
    connection: PostgresConnection,
    ids: readonly RowId[],
    held: Set<RowId>,
    deadlineMs: number,
  ): Promise<void> {
    try {
      if (performance.now() < deadlineMs) {
        const steps = [{ name: "begin" }, { name: "hurry" }, createStep(ids), { name: "commit" }];
        await this.#execute(connection, steps);
        return;
      }
    } catch (error) {
      if (!hasWaitedTooLong(error)) throw error;
      if (ids.length > 1) {
        const half = ids.length >> 1;
        await this.#createHastily(connection, ids.slice(0, half), held, deadlineMs);
        await this.#createHastily(connection, ids.slice(half), held, deadlineMs);
        return;
      }
    }
    for (const id of ids) held.add(id);
  }

  async flush(
    lane: number,
    wanted: Wanted,
    decide: (found: Found) => Changes,
    isPatient: boolean,
  ): Promise<void> {
    const connection = await this.#connect(lane);
    const locked = isPatient
      ? await this.#lockAll(connection, wanted)
      : await this.#lockFree(connection, wanted);
    const writes = await orRollBack(connection, () => writeSteps(decide(locked), locked.nowMs));
    // A transaction that changed nothing is not worth waiting for the disk.
    const end = writes.length === 0 ? "roll_back" : "commit";
    await this.#execute(connection, [...writes, { name: end }]);
  }

  async charge(lane: number, charges: KnownCharges): Promise<number | undefined> {
    const connection = await this.#connect(lane);
    const { holdTimeoutMs, decidedAgoMsMax = holdTimeoutMs } = this.#options;
    const values = knownParameters(charges, decidedAgoMsMax);
    const end = this.#telemetry("charge_known");
    try {
      const [rows] = await connection.execute([{ name: "charge_known", values }]);
      end();
      return Number(rows?.[0]?.[0]);
    } catch (error) {
      // An answer like another: the statement was a transaction by itself, and left nothing.
      const isNotAsKnown = sqlStateOf(error) === NOT_AS_KNOWN;
      end(isNotAsKnown ? undefined : error);
      if (isNotAsKnown) return undefined;
      await connection.rollBack();
      throw error;
    }
  }

  async #lockAll(connection: PostgresConnection, wanted: Wanted): Promise<Found> {
    const reads = readSteps(wanted);
    const locked =
      (await this.#lock(connection, "lock_buckets", wanted, reads)) ??
      (await this.#lock(connection, "lock_numbered_buckets", wanted, reads));
    if (locked === undefined) throw new Error("numbered rows cannot be mistaken");
    return locked;
  }

  /** Locks what nobody else has locked and reads it, in a transaction that is left open. */
  async #lockFree(connection: PostgresConnection, wanted: Wanted): Promise<Found> {
    const reads = readSteps(wanted);
    const ids = [uuidArray(wanted.buckets, (id) => id)];
    try {
      const results = await this.#execute(connection, [
        ...[{ name: "begin" }, { name: "hurry" }],
        { name: "lock_free_buckets", values: ids },
        ...reads,
        { name: "clock" },
        { name: "existing_buckets", values: ids },
        { name: "lock_free_leases", values: [uuidArray(wanted.leased, (id) => id)] },
      ]);
      return await orRollBack(connection, () => freeFrom(wanted, reads, results.slice(2)));
    } catch (error) {
      if (!hasWaitedTooLong(error)) throw error;
      // Rows that are locked were passed over, so it is a table that somebody holds.
      throw new TableHeldError(error);
    }
  }

  /**
   * Locks and reads in a transaction that is left open. Undefined, and none open, when some rows
   * are missing and the statement does not tell which.
   */
  async #lock(
    connection: PostgresConnection,
    statement: "lock_buckets" | "lock_numbered_buckets",
    wanted: Wanted,
    reads: readonly Step[],
  ): Promise<Found | undefined> {
    const results = await this.#execute(connection, [
      { name: "begin" },
      { name: statement, values: [uuidArray(wanted.buckets, (id) => id)] },
      ...reads,
      // Only now are all locks held.
      { name: "clock" },
    ]);
    const rows = results[1] ?? [];
    if (statement === "lock_buckets" && rows.length < wanted.buckets.length) {
      await this.#execute(connection, [{ name: "roll_back" }]);
      return undefined;
    }
    return await orRollBack(connection, () => foundFrom(wanted, reads, results.slice(1)));
  }

  async read(wanted: Wanted): Promise<Found> {
    const connection = await this.#connect(READS);
    const reads = readSteps(wanted);
    const results = await this.#execute(connection, [
      { name: "read_buckets", values: [uuidArray(wanted.buckets, (id) => id)] },
      ...reads,
      { name: "clock" },
    ]);
    return foundFrom(wanted, reads, results);
  }

  async findLeases(
    leaseIds: readonly RowId[],
  ): Promise<ReadonlyArray<{ id: RowId; bucketId: RowId }>> {
    const [rows = []] = await this.#inTurn(LEASES, [
      { name: "find_leases", values: [uuidArray(leaseIds, (id) => id)] },
    ]);
    return rows.map(([id, bucketId]) => ({
      id: rowIdFromUuid(id ?? ""),
      bucketId: rowIdFromUuid(bucketId ?? ""),
    }));
  }

  async sweep(): Promise<number> {
    const connection = await this.#connect(HOUSEKEEPING);
    await this.#readDurability(connection);
    const { deleted, nextBlock, error } = await sweepPostgres(
      (steps) => this.#execute(connection, steps),
      this.#sweepFromBlock,
    );
    this.#sweepFromBlock = nextBlock;
    if (error !== undefined) throw new SweepError(deleted, error);
    return deleted;
  }

  async close(): Promise<void> {
    await this.#slots.close();
  }

  async #readDurability(connection: PostgresConnection): Promise<void> {
    const [rows] = await this.#execute(connection, [{ name: "durability" }]);
    this.#isDurable = rows?.[0]?.[0] === "t";
  }

  /** Runs steps after those that were asked for before, unless that takes too long. */
  async #inTurn(slot: number, steps: readonly Step[]): Promise<ReadonlyArray<readonly WireRow[]>> {
    const askedAtMs = performance.now();
    const before = this.#turns.get(slot);
    const run = async () => {
      await before;
      if (performance.now() - askedAtMs > this.#options.holdTimeoutMs) {
        throw new Error("timeout while others used the connection");
      }
      return await this.#execute(await this.#connect(slot), steps);
    };
    const result = run();
    this.#turns.set(
      slot,
      result.catch(() => undefined),
    );
    return await result;
  }

  #connect(slot: number): Promise<PostgresConnection> {
    return this.#slots.get(slot);
  }

  async #execute(
    connection: PostgresConnection,
    steps: readonly Step[],
  ): Promise<ReadonlyArray<readonly WireRow[]>> {
    const end = this.#telemetry(operationOf(steps));
    try {
      const rows = await connection.execute(steps);
      end();
      return rows;
    } catch (error) {
      end(error);
      await connection.rollBack();
      throw error;
    }
  }
}

/**
 * A bug must not keep rows locked, nor leave a transaction open in which the next flush would be
 * answered and then undone.
 */
async function orRollBack<T>(connection: PostgresConnection, compute: () => T): Promise<T> {
  try {
    return compute();
  } catch (error) {
    await connection.rollBack();
    throw error;
  }
}

function connectionOptions(options: PostgresStoreOptions) {
  const { url, holdTimeoutMs } = options;
  const hold = String(holdTimeoutMs);
  return {
    url,
    statements: { ...STATEMENTS, ...SWEEP_STATEMENTS },
    settings: {
      ...PLANNER_SETTINGS,
      lock_timeout: String(Math.ceil(holdTimeoutMs * LOCK_SHARE)),
      statement_timeout: hold,
      idle_in_transaction_session_timeout: hold,
      // Bounds that a role may have, and that would end idle connections or long transactions.
      idle_session_timeout: "0",
      transaction_timeout: "0",
      synchronous_commit: options.synchronousCommit,
      // Whoever waited for a lock has to see what was committed meanwhile.
      default_transaction_isolation: "read committed",
    },
    connectTimeoutMs: holdTimeoutMs,
    roundTripTimeoutMs: holdTimeoutMs + CLIENT_SLACK_MS,
  };
}

function createStep(ids: readonly RowId[]): Step {
  return { name: "create_buckets", values: [uuidArray(ids, (id) => id)] };
}

/** What a round trip waits for: locks, the disk, or else its first statement. */
function operationOf(steps: readonly Step[]): string {
  const names = steps.map(({ name }) => name);
  const last = names.at(-1) ?? "";
  if (names[0] === "begin") return names[1] ?? "begin";
  return last === "commit" || last === "roll_back" ? last : (names[0] ?? "");
}

/** The statement makes a number of a text to end itself. */
const NOT_AS_KNOWN = "22P02";

function readSteps(wanted: Wanted): Step[] {
  const steps: Step[] = [];
  const read = (name: string, ids: readonly RowId[]) => {
    if (ids.length > 0) steps.push({ name, values: [uuidArray(ids, (id) => id)] });
  };
  read("read_leases", wanted.leased);
  read("read_answers", wanted.answers);
  read("read_refunds", wanted.refunds);
  return steps;
}

/** Puts together what the bucket statement, the reads and the clock answered, in that order. */
function foundFrom(
  wanted: Wanted,
  reads: readonly Step[],
  results: ReadonlyArray<readonly WireRow[]>,
): Found {
  const rowsOf = (name: string) => results[1 + reads.findIndex((step) => step.name === name)] ?? [];
  const has = (name: string) => reads.some((step) => step.name === name);
  const leases = has("read_leases") ? leasesFromRows(rowsOf("read_leases")) : undefined;
  const states: Found["states"][number][] = new Array(wanted.buckets.length);
  const bucketRows = results[0] ?? [];
  const unseen = bucketRows.length < wanted.buckets.length ? new Set(wanted.buckets) : undefined;
  for (const [position, row] of bucketRows.entries()) {
    const number = row[NUMBER_COLUMN];
    const index = typeof number === "string" ? Number(number) - 1 : position;
    const id = wanted.buckets[index] ?? "";
    states[index] = stateFromRow(row, leases?.get(id) ?? []);
    unseen?.delete(id);
  }
  const answers = has("read_answers") ? rowsOf("read_answers") : [];
  const refunds = has("read_refunds") ? rowsOf("read_refunds") : [];
  return {
    nowMs: Number(results[1 + reads.length]?.[0]?.[0]),
    states,
    missing: unseen ?? NONE,
    held: NONE,
    answers: new Map(answers.map((row) => [rowIdFromUuid(row[0] ?? ""), answerFromRow(row)])),
    refunded: new Set(
      [...refunds.map(([id]) => id), ...answers.map((row) => row[REFUND_COLUMN])].map((id) =>
        rowIdFromUuid(id ?? ""),
      ),
    ),
  };
}

/**
 * Puts together what `lock_free_buckets`, the reads and the clock answered, then which rows exist
 * and which leases could be locked. What exists and is not locked is held by somebody else.
 */
function freeFrom(
  wanted: Wanted,
  reads: readonly Step[],
  results: ReadonlyArray<readonly WireRow[]>,
): Found {
  const found = foundFrom(wanted, reads, results);
  const [existing = [], freeLeases = []] = results.slice(2 + reads.length);
  const held = new Set<RowId>();
  const missing = new Set(found.missing);
  for (const [ord] of existing) {
    const id = wanted.buckets[Number(ord) - 1] ?? "";
    if (missing.delete(id)) held.add(id);
  }
  if (reads[0]?.name === "read_leases") {
    const free = new Set(freeLeases.map(([bucket, id]) => `${bucket} ${id}`));
    for (const [bucket, id] of results[1] ?? []) {
      if (!free.has(`${bucket} ${id}`)) held.add(rowIdFromUuid(bucket ?? ""));
    }
  }
  return { ...found, missing, held };
}

/** Where the row of an answer tells that its receipt was refunded. */
const REFUND_COLUMN = 5;

/** Reads `id, body, answer, expires_ms, receipt`. */
function answerFromRow([, body, answer, expiresMs, receipt]: WireRow): StoredAnswer {
  return {
    body: rowIdFromUuid(body ?? ""),
    answer: answer ?? "",
    expiresMs: Number(expiresMs),
    receiptId: rowIdFromUuid(receipt ?? ""),
  };
}

/** Where a row tells which of the wanted ones it is; without it, they come in order. */
const NUMBER_COLUMN = 10;

const NONE: ReadonlySet<RowId> = new Set();

function writeSteps({ buckets, answers, refunds, audits }: Changes, nowMs: number): Step[] {
  const steps: Step[] = [];
  const charges = buckets.filter((change) => isCharge(change, nowMs));
  if (charges.length > 0) {
    steps.push({ name: "write_charges", values: chargeParameters(charges, nowMs) });
  }
  if (charges.length < buckets.length) {
    const others = buckets.filter((change) => !isCharge(change, nowMs));
    steps.push({ name: "write_buckets", values: bucketParameters(others) });
    const rings = ringParameters(others);
    if (rings !== undefined) steps.push({ name: "write_rings", values: rings });
    steps.push(...leaseSteps(others));
  }
  const replaced = answers.filter((answer) => answer.isReplacing);
  if (replaced.length > 0) {
    steps.push({ name: "delete_answers", values: [uuidArray(replaced, ({ id }) => id)] });
  }
  if (answers.length > 0) {
    steps.push({
      name: "write_answers",
      values: [
        uuidArray(answers, ({ id }) => id),
        uuidArray(answers, ({ body }) => body),
        textArray(answers.map(({ answer }) => answer)),
        bigintArray(answers, ({ expiresMs }) => expiresMs),
        uuidArray(answers, ({ receiptId }) => receiptId),
      ],
    });
  }
  if (refunds.length > 0) {
    steps.push({
      name: "write_refunds",
      values: [
        uuidArray(refunds, ({ id }) => id),
        bigintArray(refunds, ({ expiresMs }) => expiresMs),
      ],
    });
  }
  if (audits.length > 0) {
    steps.push({
      name: "write_audits",
      values: [
        textArray(audits.map(({ caller }) => caller)),
        textArray(audits.map(({ event }) => event)),
        textArray(audits.map(({ policy }) => policy)),
        uuidArray(audits, ({ bucketId }) => bucketId),
        textArray(audits.map(({ detail }) => JSON.stringify(detail))),
      ],
    });
  }
  return steps;
}

function leaseSteps(buckets: Changes["buckets"]): Step[] {
  const steps: Step[] = [];
  const { written, deleted } = leaseChanges(buckets);
  if (deleted.length > 0) {
    steps.push({
      name: "delete_leases",
      values: [uuidArray(deleted, ({ bucketId }) => bucketId), uuidArray(deleted, ({ id }) => id)],
    });
  }
  if (written.length > 0) {
    steps.push({
      name: "write_leases",
      values: [
        uuidArray(written, ({ bucketId }) => bucketId),
        uuidArray(written, ({ id }) => id),
        bigintArray(written, ({ expiresAtMs }) => expiresAtMs),
        bigintArray(written, ({ ttlMs }) => ttlMs),
        bigintArray(written, ({ number }) => number),
      ],
    });
  }
  return steps;
}

function textArray(texts: readonly string[]): string {
  const quoted = texts.map((text) => `"${text.replace(/[\\"]/g, "\\$&")}"`);
  return `{${quoted.join(",")}}`;
}
