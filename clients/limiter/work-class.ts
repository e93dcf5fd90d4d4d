import { limiterKeyOf } from "../../services/limiter/rules/limiter-key.ts";
import type { BucketRequest } from "./bucket-request.ts";

/** The share of the calls that a request uses: that of a class of work, and of a key within it. */
export type Share = { className: string; key: string };

/** Bounds the class names, which come from the policies that a service announces. */
const CLASSES_MAX = 16;
/** The class of policies that the service did not announce. */
const OTHER = "other";

/** Work that keeps streams alive comes before work that any client can cause. */
const WEIGHTS: Readonly<Record<string, number>> = {
  revocations: 8,
  introspect: 8,
  "realtime.connections": 4,
  "realtime.connect": 2,
  "realtime.subscribe": 2,
  refresh: 2,
  mint: 2,
};
const WEIGHT_DEFAULT = 1;

/** One customer gets at most this network, so rotating addresses within it gains nothing. */
const IPV6_SHARE_BITS = 48;

/** The unique name of a share. */
export function shareName({ className, key }: Share): string {
  return `${className}\n${key}`;
}

/** How much a class gets under contention, in proportion to the others. */
export function weightOf(className: string): number {
  return WEIGHTS[className] ?? WEIGHT_DEFAULT;
}

/**
 * Creates the function that finds the share of a request from its first bucket: the class is the
 * prefix of its policy's name, the key is the bucket's. IPv6 addresses use their network's key.
 */
export function createShares(
  policies: readonly string[],
): (buckets: readonly BucketRequest[]) => Share {
  const classes = [...new Set(policies.map(prefixOf))].slice(0, CLASSES_MAX - 1);
  const known = new Set(classes);
  const classOf = (policy: string) => {
    const prefix = prefixOf(policy);
    return known.has(prefix) ? prefix : OTHER;
  };
  const byPolicy = new Map(policies.map((policy) => [policy, classOf(policy)]));
  return ([first]) => {
    if (first === undefined) return { className: OTHER, key: "" };
    const key = keyOf(first.key);
    return {
      className: byPolicy.get(first.policy) ?? classOf(first.policy),
      key: first.doubtful === true ? `doubtful ${key}` : key,
    };
  };
}

/** `login.account` gives login, `realtime.connect.ip` gives realtime.connect. */
function prefixOf(policy: string): string {
  const [first = "", second] = policy.split(".", 2);
  return first === "realtime" && second !== undefined ? `${first}.${second}` : first;
}

function keyOf(key: string): string {
  if (!key.includes(":")) return key;
  return limiterKeyOf(key, IPV6_SHARE_BITS) ?? key;
}
