import type { CalendarPeriod, Policy, PolicyMode, WiderNetwork } from "./policy.ts";

/** Everything that is wrong with a policies file, at once. */
export class PoliciesError extends Error {
  override name = "PoliciesError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`invalid policies:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

/** Policies by name. */
export type Policies = ReadonlyMap<string, Policy>;

/** Words joined by dots, at most as long as the proto allows. */
const NAME = /^(?=.{1,64}$)[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*$/;
/** More holders than this would make one bucket's row slow to rewrite. */
const CONCURRENCY_LIMIT_MAX = 10_000;
const LIMIT_MAX = 1_000_000_000;
/** A sliding window has ten parts, and none can be shorter than the clock's millisecond. */
const SLIDING_PERIOD_MS_MIN = 10;
/** A charge must leave the tables of receipts some day. */
const PERIOD_MS_MAX = 366 * 86_400_000;

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const FIELDS = new Set([
  ...["key", "algorithm", "limit", "period", "burst", "block_for", "mode", "wider"],
]);

const WIDER_FIELDS = new Set(["prefix", "limit"]);

/** Reads the content of a policies file; throws a PoliciesError that names every problem. */
export function parsePolicies(document: unknown): Policies {
  const problems: string[] = [];
  const entries = Object.entries(asRecord(asRecord(document)?.["policies"]) ?? {});
  if (entries.length === 0) problems.push("policies: none given");
  const policies = new Map<string, Policy>();
  for (const [name, value] of entries) {
    const reader = createFieldReader(name, asRecord(value) ?? {}, problems);
    if (!NAME.test(name)) problems.push(`${name}: not a policy name`);
    policies.set(name, readPolicy(name, reader));
  }
  if (problems.length > 0) throw new PoliciesError(problems);
  return policies;
}

type FieldReader = ReturnType<typeof createFieldReader>;

function readPolicy(name: string, fields: FieldReader): Policy {
  const key = fields.oneOf("key", ["address", "text", "address_and_text"]);
  const algorithms = ["token_bucket", "sliding_window", "fixed_window", "concurrency"] as const;
  const algorithm = fields.oneOf("algorithm", algorithms);
  const wider = fields.wider(algorithm === "concurrency" ? CONCURRENCY_LIMIT_MAX : LIMIT_MAX);
  if (wider !== undefined && key === "text") fields.problem("wider", "is for addresses");
  const base = {
    name,
    key,
    mode: fields.oneOf<PolicyMode>("mode", ["enforce", "shadow", "off"], "enforce"),
    blockForMs: fields.durationMs("block_for", 0),
    ...(wider === undefined ? {} : { wider }),
  };
  if (algorithm === "concurrency") {
    if (base.blockForMs > 0) fields.problem("block_for", "is not for concurrency");
    const places = fields.wholeNumber("limit", CONCURRENCY_LIMIT_MAX);
    checkWider(wider, places, "limit", fields);
    return { ...base, algorithm, limit: places };
  }
  const limit = fields.wholeNumber("limit", LIMIT_MAX);
  if (algorithm !== "token_bucket") checkWider(wider, limit, "limit", fields);
  if (algorithm === "fixed_window") return { ...base, algorithm, limit, period: fields.period() };
  const periodMs = fields.durationMs("period");
  if (algorithm === "sliding_window") {
    if (periodMs < SLIDING_PERIOD_MS_MIN) {
      fields.problem("period", `must be at least ${SLIDING_PERIOD_MS_MIN}ms for a sliding window`);
    }
    return { ...base, algorithm, limit, periodMs };
  }
  const burst = fields.wholeNumber("burst", LIMIT_MAX, limit);
  checkWider(wider, burst, burst === limit ? "limit" : "burst", fields);
  const most = Math.max(burst, wider?.limit ?? 0);
  if (!Number.isSafeInteger(most * periodMs)) {
    fields.problem("burst", "times the period is too large to count exactly");
  }
  return { ...base, algorithm, limit, periodMs, burst };
}

/** What one key may take, its network must be able to give. */
function checkWider(
  wider: WiderNetwork | undefined,
  least: number,
  field: "limit" | "burst",
  fields: FieldReader,
): void {
  if (wider === undefined || wider.limit >= least) return;
  fields.problem("wider.limit", `must be at least ${field}, which is ${least}`);
}

function createFieldReader(name: string, fields: Record<string, unknown>, problems: string[]) {
  const problem = (field: string, message: string) => {
    problems.push(`${name}.${field}: ${message}`);
  };
  for (const field of Object.keys(fields)) {
    if (!FIELDS.has(field)) problem(field, "unknown field");
  }
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

  return {
    problem,
    durationMs,

    oneOf<const T extends string>(field: string, values: readonly T[], defaultValue?: T): T {
      const value = fields[field] ?? defaultValue;
      const known = values.find((candidate) => candidate === value);
      if (known !== undefined) return known;
      problem(field, `must be one of ${values.join(", ")}`);
      return values[0] as T;
    },

    wholeNumber(field: string, max: number, defaultValue?: number): number {
      return readWholeNumber(field, fields[field] ?? defaultValue, max);
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

function asRecord(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
