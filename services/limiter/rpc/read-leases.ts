import type { Duration } from "@bufbuild/protobuf/wkt";

/** As many as the proto allows. */
const LEASES_MAX = 1_000;
const LEASE_ID_BYTES_MAX = 128;
/** A shorter lease would end before it could be renewed over a network. */
const LEASE_TTL_MS_MIN = 100;
/** A holder that died must not hold its place for longer. */
const LEASE_TTL_MS_MAX = 3_600_000;

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

/** What is wrong with a list of leases, naming the field. */
export function findLeaseIdsProblem(leaseIds: readonly string[]): string | undefined {
  if (leaseIds.length < 1 || leaseIds.length > LEASES_MAX) {
    return `leaseIds: must be 1 to ${LEASES_MAX}`;
  }
  for (const [index, leaseId] of leaseIds.entries()) {
    const problem = findLeaseIdProblem(leaseId);
    if (problem !== undefined) return `leaseIds[${index}]: ${problem}`;
  }
  return undefined;
}
