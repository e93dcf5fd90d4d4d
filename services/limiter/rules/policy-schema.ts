import * as z from "zod";
import { type Finding, type Rule, withRules } from "../../runtime/documents/map-schema.ts";
import type { KeyShape, WiderNetwork } from "./policy.ts";
import {
  blockFor,
  commonFields,
  duration,
  fieldsOf,
  fixedPeriod,
  notFor,
  wholeNumber,
} from "./policy-fields.ts";

/** More holders than this would make one bucket's row slow to rewrite. */
const CONCURRENCY_LIMIT_MAX = 10_000;
const LIMIT_MAX = 1_000_000_000;
/** A sliding window has ten parts, and none can be shorter than the clock's millisecond. */
const SLIDING_PERIOD_MS_MIN = 10;

export type PolicyOptions = {
  /** How many bits of an IPv6 address are one client; a wider network has fewer. */
  ipv6PrefixBits?: number | undefined;
};

/** Reads the fields of one policy by its algorithm; answers a policy without its name. */
export function createPolicySchema({ ipv6PrefixBits = Number.POSITIVE_INFINITY }: PolicyOptions) {
  const algorithms = [
    tokenBucket(ipv6PrefixBits),
    slidingWindow(ipv6PrefixBits),
    fixedWindow(ipv6PrefixBits),
    concurrency(ipv6PrefixBits),
  ] as const;
  const names = "token_bucket, sliding_window, fixed_window, concurrency";
  return z.discriminatedUnion("algorithm", algorithms, {
    error: ({ code }) =>
      code === "invalid_union" ? `must be one of ${names}` : "must have fields",
  });
}

function tokenBucket(ipv6PrefixBits: number) {
  const fields = fieldsOf({
    ...commonFields("token_bucket", LIMIT_MAX),
    period: duration.describe("An empty bucket refills by `limit` in this time, evenly."),
    burst: wholeNumber(LIMIT_MAX)
      .optional()
      .describe("The most that can be taken at once; `limit` unless it is set."),
    block_for: blockFor.optional(),
  });
  const rules = withRules(fields, [
    ...rulesOfWider(ipv6PrefixBits),
    {
      fields: ["limit", "burst", "wider"],
      find: ({ limit, burst = limit, wider }) => {
        return burst > limit ? findTooNarrow(wider, "burst", burst) : undefined;
      },
    },
    {
      fields: ["limit", "burst", "wider", "period"],
      find: ({ limit, burst = limit, wider, period }) => {
        const most = Math.max(burst, wider?.limit ?? 0);
        if (Number.isSafeInteger(most * period)) return undefined;
        return { path: ["burst"], message: "times the period is too large to count exactly" };
      },
    },
  ]);
  return rules.transform(({ period, burst, block_for = 0, ...policy }) => {
    const { limit } = policy;
    return { ...setWider(policy), periodMs: period, burst: burst ?? limit, blockForMs: block_for };
  });
}

function slidingWindow(ipv6PrefixBits: number) {
  const fields = fieldsOf({
    ...commonFields("sliding_window", LIMIT_MAX),
    period: duration.describe("At most `limit` is taken in any time of this length."),
    burst: notFor("sliding_window"),
    block_for: blockFor.optional(),
  });
  const rules = withRules(fields, [
    ...rulesOfWider(ipv6PrefixBits),
    {
      fields: ["period"],
      find: ({ period }) => {
        if (period >= SLIDING_PERIOD_MS_MIN) return undefined;
        const least = `${SLIDING_PERIOD_MS_MIN}ms`;
        return { path: ["period"], message: `must be at least ${least} for a sliding window` };
      },
    },
  ]);
  return rules.transform(({ period, burst: _, block_for = 0, ...policy }) => {
    return { ...setWider(policy), periodMs: period, blockForMs: block_for };
  });
}

function fixedWindow(ipv6PrefixBits: number) {
  const fields = fieldsOf({
    ...commonFields("fixed_window", LIMIT_MAX),
    period: fixedPeriod.describe("At most `limit` is taken in each window of this length, in UTC."),
    burst: notFor("fixed_window"),
    block_for: blockFor.optional(),
  });
  const rules = withRules(fields, rulesOfWider(ipv6PrefixBits));
  return rules.transform(({ burst: _, block_for = 0, ...policy }) => {
    return { ...setWider(policy), blockForMs: block_for };
  });
}

function concurrency(ipv6PrefixBits: number) {
  const fields = fieldsOf({
    ...commonFields("concurrency", CONCURRENCY_LIMIT_MAX),
    period: notFor("concurrency"),
    burst: notFor("concurrency"),
    block_for: notFor("concurrency"),
  });
  const rules = withRules(fields, rulesOfWider(ipv6PrefixBits));
  return rules.transform(({ period: _, burst: _burst, block_for: _blockFor, ...policy }) => {
    return { ...setWider(policy), blockForMs: 0 };
  });
}

type WithWider = { key: KeyShape; limit: number; wider?: WiderNetwork | undefined };

function rulesOfWider(ipv6PrefixBits: number): readonly Rule<WithWider>[] {
  return [
    {
      fields: ["key", "wider"],
      find: ({ key, wider }) => {
        if (wider === undefined || key !== "text") return undefined;
        return { path: ["wider"], message: "is for addresses" };
      },
    },
    {
      fields: ["wider"],
      find: ({ wider }) => {
        if (wider === undefined || wider.prefixBits < ipv6PrefixBits) return undefined;
        const least = `LIMITER_IPV6_PREFIX, which is ${ipv6PrefixBits}`;
        const message = `must be below ${least}, or it is no wider network`;
        return { path: ["wider", "prefix"], message };
      },
    },
    {
      fields: ["limit", "wider"],
      find: ({ limit, wider }) => findTooNarrow(wider, "limit", limit),
    },
  ];
}

/** A network must be able to give what one of its keys may take. */
function findTooNarrow(
  wider: WiderNetwork | undefined,
  field: string,
  least: number,
): Finding | undefined {
  if (wider === undefined || wider.limit >= least) return undefined;
  return { path: ["wider", "limit"], message: `must be at least ${field}, which is ${least}` };
}

/** Leaves out a network that is not set. */
function setWider<Fields extends WithWider>({ wider, ...policy }: Fields) {
  return { ...policy, ...(wider !== undefined && { wider }) };
}
