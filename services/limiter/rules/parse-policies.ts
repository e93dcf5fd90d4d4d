import type { LineOf } from "./policies-document.ts";
import type { Policy, PolicyMode, WiderNetwork } from "./policy.ts";
import { asRecord, createFieldReader, type FieldReader } from "./policy-field-reader.ts";

/** Everything that is wrong with a policies file, at once. */
export class PoliciesError extends Error {
  override name = "PoliciesError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[], file?: string) {
    const where = file === undefined ? "" : ` in ${file}`;
    const lines = problems.map((problem) => `  ${problem}`);
    super(`invalid policies${where}:\n${lines.join("\n")}`);
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

export type ParseOptions = {
  /** Where the document has what is wrong. */
  lineOf?: LineOf;
  /** What the document was read from. */
  file?: string;
  /** How much of an IPv6 address is one client; a network that is no wider than that does nothing. */
  ipv6PrefixBits?: number;
};

/** Reads the content of a policies file; throws a PoliciesError that names every problem. */
export function parsePolicies(document: unknown, options: ParseOptions = {}): Policies {
  const { lineOf = () => undefined } = options;
  const problems: string[] = [];
  const problem = (path: readonly string[], message: string, name = path.join(".")) => {
    const line = lineOf(path);
    problems.push(`${line === undefined ? "" : `line ${line}: `}${name}: ${message}`);
  };
  const root = asRecord(document) ?? {};
  for (const field of Object.keys(root)) {
    if (field !== "policies") problem([field], "unknown field");
  }
  const entries = Object.entries(asRecord(root["policies"]) ?? {});
  if (entries.length === 0) problem(["policies"], "none given");
  const policies = new Map<string, Policy>();
  for (const [name, value] of entries) {
    const path = ["policies", name];
    if (!NAME.test(name)) problem(path, "not a policy name", name);
    const fields = asRecord(value);
    if (fields === undefined) {
      problem(path, "must have fields", name);
      continue;
    }
    const reader = createFieldReader(fields, (field, message) =>
      problem([...path, ...field.split(".")], message, `${name}.${field}`),
    );
    policies.set(name, readPolicy(name, reader, options.ipv6PrefixBits));
  }
  if (problems.length > 0) throw new PoliciesError(problems, options.file);
  return policies;
}

function readPolicy(name: string, fields: FieldReader, ipv6PrefixBits?: number): Policy {
  const key = fields.oneOf("key", ["address", "text", "address_and_text"]);
  const algorithm = fields.algorithm();
  const wider = fields.wider(algorithm === "concurrency" ? CONCURRENCY_LIMIT_MAX : LIMIT_MAX);
  if (wider !== undefined && key === "text") fields.problem("wider", "is for addresses");
  if (wider !== undefined && ipv6PrefixBits !== undefined && wider.prefixBits >= ipv6PrefixBits) {
    const least = `LIMITER_IPV6_PREFIX, which is ${ipv6PrefixBits}`;
    fields.problem("wider.prefix", `must be below ${least}, or it is no wider network`);
  }
  const base = {
    name,
    key,
    mode: fields.oneOf<PolicyMode>("mode", ["enforce", "shadow", "off"], "enforce"),
    ...(wider === undefined ? {} : { wider }),
  };
  if (algorithm === "concurrency") {
    const places = fields.wholeNumber("limit", CONCURRENCY_LIMIT_MAX);
    checkWider(wider, { limit: places }, fields);
    return { ...base, algorithm, blockForMs: 0, limit: places };
  }
  const limit = fields.wholeNumber("limit", LIMIT_MAX);
  const blockForMs = fields.durationMs("block_for", 0);
  checkWider(wider, { limit }, fields);
  if (algorithm === "fixed_window") {
    return { ...base, algorithm, blockForMs, limit, period: fields.period() };
  }
  const periodMs = fields.durationMs("period");
  if (algorithm === "sliding_window") {
    if (periodMs < SLIDING_PERIOD_MS_MIN) {
      fields.problem("period", `must be at least ${SLIDING_PERIOD_MS_MIN}ms for a sliding window`);
    }
    return { ...base, algorithm, blockForMs, limit, periodMs };
  }
  const burst = fields.wholeNumber("burst", LIMIT_MAX, limit);
  if (burst > limit) checkWider(wider, { burst }, fields);
  const most = Math.max(burst, wider?.limit ?? 0);
  if (!Number.isSafeInteger(most * periodMs)) {
    fields.problem("burst", "times the period is too large to count exactly");
  }
  return { ...base, algorithm, blockForMs, limit, periodMs, burst };
}

/** What one key may take, its network must be able to give. */
function checkWider(
  wider: WiderNetwork | undefined,
  needs: Readonly<Record<string, number>>,
  fields: FieldReader,
): void {
  for (const [field, least] of Object.entries(needs)) {
    if (wider === undefined || wider.limit >= least) continue;
    fields.problem("wider.limit", `must be at least ${field}, which is ${least}`);
  }
}
