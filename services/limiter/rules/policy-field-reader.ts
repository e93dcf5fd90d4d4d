import type { CalendarPeriod, Policy, WiderNetwork } from "./policy.ts";

/** A charge must leave the tables of receipts some day. */
const PERIOD_MS_MAX = 366 * 86_400_000;

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

type Algorithm = Policy["algorithm"];

const ALGORITHMS = ["token_bucket", "sliding_window", "fixed_window", "concurrency"] as const;

/** What every policy may say. */
const COMMON_FIELDS = ["key", "algorithm", "limit", "mode", "wider"];
/** What it may say besides: a field that an algorithm has no use for would promise something. */
const FIELDS: Readonly<Record<Algorithm, readonly string[]>> = {
  token_bucket: [...COMMON_FIELDS, "period", "burst", "block_for"],
  sliding_window: [...COMMON_FIELDS, "period", "block_for"],
  fixed_window: [...COMMON_FIELDS, "period", "block_for"],
  concurrency: COMMON_FIELDS,
};
const ALL_FIELDS = new Set(Object.values(FIELDS).flat());
const WIDER_FIELDS: ReadonlySet<string> = new Set(["prefix", "limit"]);

export type FieldReader = ReturnType<typeof createFieldReader>;

/**
 * Reads the fields of one policy and tells what is wrong with each. Readers answer a harmless value
 * for a bad field.
 */
export function createFieldReader(
  fields: Record<string, unknown>,
  problem: (field: string, message: string) => void,
) {
  const readWholeNumber = (field: string, value: unknown, max: number) => {
    if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= max) {
      return value;
    }
    problem(field, `must be a whole number from 1 to ${max}`);
    return 1;
  };
  const durationMs = (field: string, defaultMs?: number) => {
    const value = fields[field];
    if (value === undefined && defaultMs !== undefined) return defaultMs;
    const [, digits, unit] = /^([1-9]\d{0,9})(ms|s|m|h|d)$/.exec(String(value)) ?? [];
    const ms = Number(digits) * (UNITS_MS[unit ?? ""] ?? Number.NaN);
    if (ms >= 1 && ms <= PERIOD_MS_MAX) return ms;
    problem(field, "must be a duration such as 30s, at most 366d");
    return 1;
  };
  const oneOf = <const T extends string>(
    field: string,
    values: readonly [T, ...T[]],
    defaultValue?: T,
  ): T => {
    // A field that is there and empty is a mistake, not the default.
    const value = fields[field] === undefined ? defaultValue : fields[field];
    const known = values.find((candidate) => candidate === value);
    if (known === undefined) problem(field, `must be one of ${values.join(", ")}`);
    return known ?? values[0];
  };

  return {
    problem,
    durationMs,
    oneOf,

    /** The algorithm, which has a use for every other field. */
    algorithm(): Algorithm {
      const algorithm = oneOf("algorithm", ALGORITHMS);
      const isKnown = algorithm === fields["algorithm"];
      for (const field of Object.keys(fields)) {
        if (!ALL_FIELDS.has(field)) problem(field, "unknown field");
        else if (isKnown && !FIELDS[algorithm].includes(field)) {
          problem(field, `is not for ${algorithm}`);
        }
      }
      return algorithm;
    },

    wholeNumber(field: string, max: number, defaultValue?: number): number {
      const value = fields[field] === undefined ? defaultValue : fields[field];
      return readWholeNumber(field, value, max);
    },

    period(): number | CalendarPeriod {
      const value = fields["period"];
      if (value === "hour" || value === "day" || value === "month") return value;
      return durationMs("period");
    },

    /** `{ prefix: 48, limit: 300 }` */
    wider(limitMax: number): WiderNetwork | undefined {
      if (fields["wider"] === undefined) return undefined;
      const wider = asRecord(fields["wider"]);
      if (wider === undefined) problem("wider", "must have a prefix and a limit");
      for (const field of Object.keys(wider ?? {})) {
        if (!WIDER_FIELDS.has(field)) problem(`wider.${field}`, "unknown field");
      }
      return {
        prefixBits: readWholeNumber("wider.prefix", wider?.["prefix"], 127),
        limit: readWholeNumber("wider.limit", wider?.["limit"], limitMax),
      };
    },
  };
}

export function asRecord(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
