import type { Duration } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import type { BucketRequest } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import type { BucketDirectory } from "./bucket-directory.ts";
import { mayConsume } from "./callers.ts";
import type { LeaseRequest } from "./decide.ts";
import type { Demand } from "./decision.ts";
import type { RowId } from "./store.ts";

/** As many as the proto allows. */
const BUCKETS_MAX = 16;
const LEASE_ID_BYTES_MAX = 128;
/** A shorter lease would end before it could be renewed over a network. */
const LEASE_TTL_MS_MIN = 100;
/** A holder that died must not hold its place for longer. */
const LEASE_TTL_MS_MAX = 3_600_000;

/** Why a request is refused, undecided. */
export type Refusal = { code: Code; message: string };

export type ReadDemands =
  | { kind: "read"; demands: readonly Demand[] }
  | { kind: "refused"; refusal: Refusal };

/** Makes the row id of a caller's lease. */
export type LeaseIdOf = (leaseId: string) => RowId;

/** Reads the buckets of a request; refuses what this caller may not ask or nobody could. */
export function readDemands(options: {
  buckets: readonly BucketRequest[];
  caller: string;
  directory: BucketDirectory;
  /** Unset when nothing will be taken, so that no lease is needed. */
  leaseIdOf: LeaseIdOf | undefined;
}): ReadDemands {
  const { buckets } = options;
  if (buckets.length < 1 || buckets.length > BUCKETS_MAX) {
    return refuse(Code.InvalidArgument, `buckets: must be 1 to ${BUCKETS_MAX}`);
  }
  const demands: Demand[] = [];
  for (const [index, bucket] of buckets.entries()) {
    const read = readDemand(bucket, `buckets[${index}]`, options);
    if ("code" in read) return { kind: "refused", refusal: read };
    if (demands.some(({ target }) => target === read.target)) {
      return refuse(Code.InvalidArgument, `buckets[${index}]: is the same bucket as another`);
    }
    demands.push(read);
  }
  return { kind: "read", demands };
}

function readDemand(
  bucket: BucketRequest,
  field: string,
  options: { caller: string; directory: BucketDirectory; leaseIdOf: LeaseIdOf | undefined },
): Demand | Refusal {
  const { caller, directory, leaseIdOf } = options;
  const found = directory.find(bucket.policy, bucket.key, bucket.doubtful);
  if (found.kind === "unknown-policy") {
    return {
      code: Code.NotFound,
      message: `${field}.policy: no policy ${printable(bucket.policy)}`,
    };
  }
  if (!mayConsume(caller, bucket.policy)) {
    return { code: Code.PermissionDenied, message: `${field}.policy: not for ${caller}` };
  }
  if (found.kind === "bad-key") return invalid(`${field}.key: ${found.problem}`);
  const { target } = found;
  const cost = bucket.cost ?? 1;
  const isConcurrency = target.policy.algorithm === "concurrency";
  if (cost < 1) return invalid(`${field}.cost: must be at least 1`);
  if (cost > target.capacity || (isConcurrency && cost > 1)) {
    const most = isConcurrency ? 1 : target.capacity;
    return invalid(`${field}.cost: is more than ${most}, which is all there is`);
  }
  if (leaseIdOf === undefined) return { target, cost };
  if (!isConcurrency) {
    const hasLease = bucket.leaseId !== "" || bucket.leaseTtl !== undefined;
    return hasLease ? invalid(`${field}.leaseId: is for concurrency policies`) : { target, cost };
  }
  const leaseProblem = findLeaseIdProblem(bucket.leaseId);
  if (leaseProblem !== undefined) return invalid(`${field}.leaseId: ${leaseProblem}`);
  const ttlMs = readTtlMs(bucket.leaseTtl);
  if (ttlMs === undefined) return invalid(`${field}.leaseTtl: ${TTL_PROBLEM}`);
  const lease: LeaseRequest = { id: leaseIdOf(bucket.leaseId), ttlMs };
  return { target, cost, lease };
}

/** What is wrong with a TTL that `readTtlMs` does not read. */
export const TTL_PROBLEM = `must be ${LEASE_TTL_MS_MIN / 1_000}s to ${LEASE_TTL_MS_MAX / 1_000}s`;

/** A lease's TTL in milliseconds; undefined when it is out of bounds. */
export function readTtlMs(ttl: Duration | undefined): number | undefined {
  const ms = ttl === undefined ? 0 : Number(ttl.seconds) * 1_000 + Math.floor(ttl.nanos / 1e6);
  return ms >= LEASE_TTL_MS_MIN && ms <= LEASE_TTL_MS_MAX ? ms : undefined;
}

/** What is wrong with the name of a lease. */
export function findLeaseIdProblem(leaseId: string): string | undefined {
  if (leaseId === "") return "is required";
  if (Buffer.byteLength(leaseId) <= LEASE_ID_BYTES_MAX) return undefined;
  return `is longer than ${LEASE_ID_BYTES_MAX} bytes`;
}

function invalid(message: string): Refusal {
  return { code: Code.InvalidArgument, message };
}

function refuse(code: Code, message: string): ReadDemands {
  return { kind: "refused", refusal: { code, message } };
}

/** What a caller sent, cut and in quotes, so that it cannot pass for something else. */
function printable(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}
