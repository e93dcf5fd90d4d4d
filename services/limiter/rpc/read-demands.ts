import { Code } from "@connectrpc/connect";
import type { BucketRequest } from "../../../gen/portcullis/limiter/v1/limiter_pb.ts";
import type { BucketDirectory, Target } from "../decisions/bucket-directory.ts";
import type { Demand } from "../decisions/decision.ts";
import type { LeaseRequest } from "../rules/decide.ts";
import type { RowId } from "../store/store.ts";
import { mayConsume } from "./callers.ts";
import { findLeaseIdProblem, readTtlMs, TTL_PROBLEM } from "./read-leases.ts";

/** As many as the proto allows. */
const BUCKETS_MAX = 16;

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
  leaseIdOf: LeaseIdOf;
  /** When nothing will be taken, a lease may be named, to be looked for. */
  isPeek?: boolean;
  /** How the fields of a bucket are reached from the request. */
  prefixOf?: (index: number) => string;
}): ReadDemands {
  const { buckets, prefixOf = prefixOfBucket } = options;
  if (buckets.length < 1 || buckets.length > BUCKETS_MAX) {
    return refuse(Code.InvalidArgument, `buckets: must be 1 to ${BUCKETS_MAX}`);
  }
  const demands: Demand[] = [];
  for (const [index, bucket] of buckets.entries()) {
    const read = readDemand(bucket, prefixOf(index), options);
    if ("code" in read) return { kind: "refused", refusal: read };
    if (demands.some(({ target }) => sharesRow(target, read.target))) {
      return refuse(Code.InvalidArgument, `buckets[${index}]: takes from the same row as another`);
    }
    demands.push(read);
  }
  return { kind: "read", demands };
}

function readDemand(
  bucket: BucketRequest,
  prefix: string,
  options: {
    caller: string;
    directory: BucketDirectory;
    leaseIdOf: LeaseIdOf;
    isPeek?: boolean;
  },
): Demand | Refusal {
  const { caller, directory, leaseIdOf, isPeek = false } = options;
  const found = directory.find(bucket.policy, bucket.key, bucket.doubtful);
  if (found.kind === "unknown-policy") {
    return {
      code: Code.NotFound,
      message: `${prefix}policy: no policy ${printable(bucket.policy)}`,
    };
  }
  if (!mayConsume(caller, bucket.policy)) {
    return { code: Code.PermissionDenied, message: `${prefix}policy: not for ${caller}` };
  }
  if (found.kind === "bad-key") return invalid(`${prefix}key: ${found.problem}`);
  const { target } = found;
  const cost = bucket.cost ?? 1;
  const isConcurrency = target.policy.algorithm === "concurrency";
  if (cost < 1) return invalid(`${prefix}cost: must be at least 1`);
  if (cost > target.capacity || (isConcurrency && cost > 1)) {
    const most = isConcurrency ? 1 : target.capacity;
    return invalid(`${prefix}cost: is more than ${most}, which is all there is`);
  }
  if (!isConcurrency) {
    const hasLease = bucket.leaseId !== "" || bucket.leaseTtl !== undefined;
    return hasLease ? invalid(`${prefix}leaseId: is for concurrency policies`) : { target, cost };
  }
  if (isPeek && bucket.leaseId === "") return { target, cost };
  const leaseProblem = findLeaseIdProblem(bucket.leaseId);
  if (leaseProblem !== undefined) return invalid(`${prefix}leaseId: ${leaseProblem}`);
  // A lease that is only looked for lasts as long as it does.
  const ttlMs = isPeek && bucket.leaseTtl === undefined ? 0 : readTtlMs(bucket.leaseTtl);
  if (ttlMs === undefined) return invalid(`${prefix}leaseTtl: ${TTL_PROBLEM}`);
  const lease: LeaseRequest = { id: leaseIdOf(bucket.leaseId), ttlMs };
  return { target, cost, lease };
}

/**
 * Whether two keys of a policy stand for the same bucket or wider network. Each row of a request is
 * decided by itself, so that it may be there only once.
 */
function sharesRow(one: Target, other: Target): boolean {
  if (one.policy !== other.policy) return false;
  return one.buckets.some(({ id }) => other.buckets.some((bucket) => bucket.id === id));
}

function prefixOfBucket(index: number): string {
  return `buckets[${index}].`;
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
