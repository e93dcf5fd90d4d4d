import { getHeapStatistics } from "node:v8";
import type { Secret } from "../runtime/secret.ts";
import { Bucket } from "./bucket.ts";
import { GroupedCache } from "./grouped-cache.ts";
import { createKeyedDigest, type KeyedDigest } from "./key-digest.ts";
import { limiterKeyOf } from "./limiter-key.ts";
import type { Policies } from "./parse-policies.ts";
import { capacityOf, type Policy } from "./policy.ts";

/** As many bytes as the proto allows. */
const KEY_BYTES_MAX = 512;
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
    if (key === "") return { kind: "bad-key", problem: "is required" };
    if (Buffer.byteLength(key) > KEY_BYTES_MAX) {
      return { kind: "bad-key", problem: `is longer than ${KEY_BYTES_MAX} bytes` };
    }
    const texts = this.#textsOf(policy, key, isDoubtful);
    if (typeof texts === "string") return { kind: "bad-key", problem: texts };
    const target = { policy, capacity: capacityOf(policy), buckets: this.#rowsOf(policy, texts) };
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
  #rowsOf(policy: Policy, texts: { own: string; wider?: string }): Bucket[] {
    return this.#digests.flatMap((digest) => {
      const row = (text: string, rule: Policy) =>
        new Bucket(digest(`${policy.mode}\n${policy.name}\n${text}`), rule);
      const own = row(texts.own, policy);
      return texts.wider === undefined ? [own] : [own, row(texts.wider, widerPolicy(policy))];
    });
  }

  /** What the rows of a key are digests of; the problem when it is no key of this policy. */
  #textsOf(
    policy: Policy,
    key: string,
    isDoubtful: boolean,
  ): { own: string; wider?: string } | string {
    if (policy.key === "text") return { own: `text:${key}` };
    const space = policy.key === "address" ? key.length : key.indexOf(" ");
    if (space < 0 || (policy.key === "address_and_text" && space === key.length - 1)) {
      return "must be an IP address, one space, and a text";
    }
    const address = key.slice(0, space);
    const rest = key.slice(space);
    const source = isDoubtful ? "sock" : "fwd";
    const network = limiterKeyOf(address, this.#ipv6PrefixBits);
    if (network === undefined) {
      return policy.key === "address" ? "must be an IP address" : "must begin with an IP address";
    }
    const own = `${source}:${network}${rest}`;
    const wider = limiterKeyOf(address, policy.wider?.prefixBits ?? this.#ipv6PrefixBits);
    // Only the networks of IPv6 come in sizes.
    if (policy.wider === undefined || wider === network) return { own };
    return { own, wider: `wide:${source}:${wider}${rest}` };
  }
}

/** The rule of the wider network's row; without one, the policy itself. */
function widerPolicy(policy: Policy): Policy {
  if (policy.wider === undefined) return policy;
  const { limit } = policy.wider;
  return policy.algorithm === "token_bucket"
    ? { ...policy, limit, burst: limit }
    : { ...policy, limit };
}
