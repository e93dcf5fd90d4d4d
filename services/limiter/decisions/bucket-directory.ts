import { getHeapStatistics } from "node:v8";
import type { Secret } from "../../runtime/secret.ts";
import { Bucket } from "../engine/bucket.ts";
import type { Policies } from "../rules/parse-policies.ts";
import { capacityOf, type Policy } from "../rules/policy.ts";
import { type PolicyRow, rowsOfKey, widerPolicy } from "../rules/policy-rows.ts";
import { createKeyedDigest, type KeyedDigest } from "../store/key-digest.ts";
import { GroupedCache } from "./grouped-cache.ts";
import { targetBytes } from "./target-bytes.ts";

/**
 * Of the heap. There are two generations, and the heap has other uses: requests, the queue of
 * those that wait, and room for garbage. With the default heap of Node (2 to 4 GiB, by the memory
 * of the machine) that is 450,000 to 900,000 short keys at least; a heap of 96 MiB serves too.
 */
const GENERATION_SHARE = 0.2;
/** A larger heap is not filled: what is older than that is found in the database as fast. */
const GENERATION_BYTES_MAX = 1 << 30;
/** Doubtful addresses are few unless an edge is broken, and then they are all the same ones. */
const DOUBTFUL_SHARE = 1 / 16;

/** How much a process may remember for as long as it is used, with a heap of that size. */
export function cacheBytesWithin(heapBytes: number): number {
  return Math.min(GENERATION_BYTES_MAX, Math.floor(heapBytes * GENERATION_SHARE));
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
    /** Unset for as much as this process has memory for. */
    cacheBytes?: number;
  }) {
    this.#policies = options.policies;
    const heapBytes = getHeapStatistics().heap_size_limit;
    const { cacheBytes = cacheBytesWithin(heapBytes) } = options;
    this.#honest = new GroupedCache(cacheBytes, targetBytes);
    this.#doubtful = new GroupedCache(Math.ceil(cacheBytes * DOUBTFUL_SHARE), targetBytes);
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

  /**
   * The rule of a row that a receipt names; undefined when no request takes from that row any more,
   * because the policy is gone, has another mode, or another wider network.
   */
  findPolicy(row: {
    policy: string;
    isShadow: boolean;
    widerBits: number | undefined;
  }): Policy | undefined {
    const policy = this.#policies.get(row.policy);
    if (policy?.mode !== (row.isShadow ? "shadow" : "enforce")) return undefined;
    if (row.widerBits === undefined) return policy;
    return policy.wider?.prefixBits === row.widerBits ? widerPolicy(policy) : undefined;
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
