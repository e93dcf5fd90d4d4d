import { getHeapStatistics } from "node:v8";
import type { Secret } from "../runtime/secret.ts";
import { Bucket } from "./bucket.ts";
import { GroupedCache } from "./grouped-cache.ts";
import { createKeyedDigest, type KeyedDigest } from "./key-digest.ts";
import type { Policies } from "./parse-policies.ts";
import { capacityOf, type Policy } from "./policy.ts";
import { type PolicyRow, rowsOfKey, widerPolicy } from "./policy-rows.ts";

/** What one process remembers at least, when there is memory for it. */
const BUCKETS_CACHED = 1 << 20;
/** A bucket takes less, its key, id and state included. */
const BUCKET_BYTES = 512;
/** Of the heap. There are two generations of buckets, and the heap has other uses. */
const GENERATION_SHARE = 0.2;
/** Doubtful addresses are few unless an edge is broken, and then they are all the same ones. */
const DOUBTFUL_SHARE = 1 / 16;

/** How many buckets a process remembers that may use that much memory. */
export function bucketsCachedWithin(heapBytes: number): number {
  return Math.min(BUCKETS_CACHED, Math.floor((heapBytes * GENERATION_SHARE) / BUCKET_BYTES));
}

/** A policy applied to a key: usually one row, more for wider networks and while salts change. */
export type Target = {
  policy: Policy;
  capacity: number;
  buckets: readonly Bucket[];
};

export type FoundTarget =
  | { kind: "found"; target: Target }
  | { kind: "unknown-policy" }
  | { kind: "bad-key"; problem: string };

/** Finds the rows of policies and keys. Those in use are cached, with what is known of them. */
export class BucketDirectory {
  readonly #policies: Policies;
  readonly #digests: readonly KeyedDigest[];
  readonly #ipv6PrefixBits: number;
  readonly #honest: GroupedCache<Target>;
  readonly #doubtful: GroupedCache<Target>;

  constructor(options: {
    policies: Policies;
    /** The one in use first; while salts change, the other one too. */
    salts: readonly Secret[];
    ipv6PrefixBits: number;
    /** Unset for as many as this process has memory for. */
    bucketsCached?: number;
  }) {
    this.#policies = options.policies;
    const cached =
      options.bucketsCached ?? bucketsCachedWithin(getHeapStatistics().heap_size_limit);
    this.#honest = new GroupedCache(cached);
    this.#doubtful = new GroupedCache(Math.ceil(cached * DOUBTFUL_SHARE));
    this.#digests = options.salts.map(createKeyedDigest);
    this.#ipv6PrefixBits = options.ipv6PrefixBits;
  }

  find(policyName: string, key: string, isDoubtful: boolean): FoundTarget {
    const cache = isDoubtful ? this.#doubtful : this.#honest;
    const cached = cache.get(policyName, key);
    if (cached !== undefined) return { kind: "found", target: cached };
    const policy = this.#policies.get(policyName);
    if (policy === undefined) return { kind: "unknown-policy" };
    const found = rowsOfKey(policy, key, { isDoubtful, ipv6PrefixBits: this.#ipv6PrefixBits });
    if (found.kind === "bad-key") return found;
    const buckets = this.#bucketsOf(policy, found.rows);
    const target = { policy, capacity: capacityOf(policy), buckets };
    cache.set(policyName, key, target);
    return { kind: "found", target };
  }

  /** The rule of a row that a receipt names. */
  findPolicy(policyName: string, isWider: boolean): Policy | undefined {
    const policy = this.#policies.get(policyName);
    return policy !== undefined && isWider ? widerPolicy(policy) : policy;
  }

  /**
   * While salts change every row exists under both, and both are charged: replicas that know only
   * the old salt and, later, those that know only the new one see every charge.
   */
  #bucketsOf(policy: Policy, rows: readonly PolicyRow[]): Bucket[] {
    return this.#digests.flatMap((digest) =>
      rows.map(
        ({ text, rule }) => new Bucket(digest(`${policy.mode}\n${policy.name}\n${text}`), rule),
      ),
    );
  }
}
