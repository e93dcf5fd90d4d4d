import type { BucketState, Lease } from "../rules/bucket-state.ts";
import { bigintArray, rowIdFromUuid, smallintArray, uuidArray } from "./binary-array.ts";
import type { WireRow } from "./postgres-connection.ts";
import type { Changes, KnownCharges, RowId } from "./store.ts";

/** How `kind` tells which algorithm wrote a row; 0 is a row without state. */
const KINDS = {
  token_bucket: 1,
  fixed_window: 2,
  sliding_window: 3,
  concurrency: 4,
} as const;

/**
 * Reads `kind, amount, at_ms, unit, blocked_until_ms, ring, lineage, rate, drift, block_ms`. Columns
 * mean something else for each kind; nulls are zeros.
 */
export function stateFromRow(row: WireRow, leases: readonly Lease[]): BucketState | undefined {
  const amount = Number(row[1]);
  const atMs = Number(row[2]);
  const unit = Number(row[3]);
  const blockedUntilMs = Number(row[4]);
  const lineage = Number(row[6]);
  const rate = Number(row[7]);
  const drift = Number(row[8]);
  const blockMs = Number(row[9]);
  const base = { lineage, blockedUntilMs, blockMs };
  switch (Number(row[0])) {
    case KINDS.token_bucket:
      return {
        kind: "token_bucket",
        used: amount,
        atMs,
        unit,
        rate,
        drift,
        lineage,
        blockedUntilMs,
        blockMs,
      };
    case KINDS.fixed_window:
      return { kind: "fixed_window", startMs: atMs, count: amount, position: drift, ...base };
    case KINDS.sliding_window: {
      const counts = (row[5] ?? "{}").slice(1, -1).split(",").map(Number);
      const ring = { index: atMs, subWindowMs: unit, counts, position: amount };
      // Rows of older programs have folded nothing that a receipt could name.
      return { kind: "sliding_window", ...ring, foldedFrom: rate, foldedTo: drift, ...base };
    }
    case KINDS.concurrency:
      return { kind: "concurrency", leases, taken: amount, ...base };
    default:
      return undefined;
  }
}

/** The leases of each bucket, from rows of `bucket_id, id, expires_ms, ttl_ms, number`. */
export function leasesFromRows(rows: readonly WireRow[]): Map<RowId, Lease[]> {
  const leases = new Map<RowId, Lease[]>();
  for (const [bucket, id, expiresMs, ttlMs, number] of rows) {
    const bucketId = rowIdFromUuid(bucket ?? "");
    const ofBucket = leases.get(bucketId) ?? [];
    ofBucket.push({
      id: rowIdFromUuid(id ?? ""),
      expiresAtMs: Number(expiresMs),
      ttlMs: Number(ttlMs),
      number: Number(number),
    });
    leases.set(bucketId, ofBucket);
  }
  return leases;
}

type BucketChange = Changes["buckets"][number];

/** The parameters of `write_charges`. */
export function chargeParameters(
  charges: readonly BucketChange[],
  nowMs: number,
): Array<Buffer | string> {
  return [
    uuidArray(charges, (change) => change.id),
    String(nowMs),
    bigintArray(charges, ({ after }) => amountOf(after)),
    bigintArray(charges, (change) => change.expiresMs),
  ];
}

/** The parameters of `charge_known`. */
export function knownParameters(
  { buckets, nowMs }: KnownCharges,
  toleranceMs: number,
): Array<Buffer | string> {
  return [
    ...chargeParameters(buckets, nowMs),
    bigintArray(buckets, ({ before }) => amountOf(before)),
    bigintArray(buckets, ({ before }) => instantOf(before)),
    bigintArray(buckets, ({ before }) => before?.lineage ?? 0),
    String(buckets.length),
    String(toleranceMs),
  ];
}

/** The parameters of `write_buckets`. */
export function bucketParameters(changes: readonly BucketChange[]): Buffer[] {
  return [
    uuidArray(changes, (change) => change.id),
    smallintArray(changes, ({ after }) => (after === undefined ? 0 : KINDS[after.kind])),
    bigintArray(changes, ({ after }) => amountOf(after)),
    bigintArray(changes, ({ after }) => instantOf(after)),
    bigintArray(changes, ({ after }) => unitOf(after)),
    bigintArray(changes, ({ after }) => after?.blockedUntilMs ?? 0),
    bigintArray(changes, (change) => change.expiresMs),
    bigintArray(changes, ({ after }) => after?.lineage ?? 0),
    bigintArray(changes, ({ after }) => rateOf(after)),
    bigintArray(changes, ({ after }) => driftOf(after)),
    bigintArray(changes, ({ after }) => after?.blockMs ?? 0),
  ];
}

function amountOf(state: BucketState | undefined): number {
  switch (state?.kind) {
    case "token_bucket":
      return state.used;
    case "fixed_window":
      return state.count;
    case "sliding_window":
      return state.position;
    case "concurrency":
      return state.taken;
    default:
      return 0;
  }
}

function rateOf(state: BucketState | undefined): number {
  if (state?.kind === "token_bucket") return state.rate;
  return state?.kind === "sliding_window" ? state.foldedFrom : 0;
}

function driftOf(state: BucketState | undefined): number {
  switch (state?.kind) {
    case "token_bucket":
      return state.drift;
    case "fixed_window":
      return state.position;
    case "sliding_window":
      return state.foldedTo;
    default:
      return 0;
  }
}

function instantOf(state: BucketState | undefined): number {
  switch (state?.kind) {
    case "token_bucket":
      return state.atMs;
    case "fixed_window":
      return state.startMs;
    case "sliding_window":
      return state.index;
    default:
      return 0;
  }
}

function unitOf(state: BucketState | undefined): number {
  if (state?.kind === "token_bucket") return state.unit;
  return state?.kind === "sliding_window" ? state.subWindowMs : 0;
}

/** The rings of the sliding windows among the changes, as parameters of `write_rings`. */
export function ringParameters(
  changes: readonly BucketChange[],
): Array<Buffer | string> | undefined {
  if (!changes.some(({ after }) => after?.kind === "sliding_window")) return undefined;
  const rings = changes.flatMap(({ id, after }) =>
    after?.kind === "sliding_window" ? [{ id, ring: `"{${after.counts.join(",")}}"` }] : [],
  );
  return [uuidArray(rings, ({ id }) => id), `{${rings.map(({ ring }) => ring).join(",")}}`];
}

/** Which leases were taken or put off, and which are gone. */
export function leaseChanges(all: readonly BucketChange[]) {
  const changes = all.filter(
    ({ before, after }) => before?.kind === "concurrency" || after?.kind === "concurrency",
  );
  const written: Array<Lease & { bucketId: RowId }> = [];
  const deleted: Array<{ id: RowId; bucketId: RowId }> = [];
  for (const { id: bucketId, before, after } of changes) {
    const old = before?.kind === "concurrency" ? before.leases : [];
    const now = after?.kind === "concurrency" ? after.leases : [];
    // A wide network has thousands.
    const kept = new Set(now.map((lease) => lease.id));
    const known = new Set(old);
    for (const lease of now) if (!known.has(lease)) written.push({ ...lease, bucketId });
    for (const { id } of old) if (!kept.has(id)) deleted.push({ id, bucketId });
  }
  return { written, deleted };
}
