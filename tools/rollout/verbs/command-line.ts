import { type ParseArgsConfig, parseArgs } from "node:util";
import { ROLLOUT_CONFIG_FILE } from "../settings/rollout-config.ts";
import type { VerbContext } from "../terms/verb.ts";

/** Thrown when the command line itself is wrong. */
export class UsageError extends Error {
  override name = "UsageError";
}

type Options = NonNullable<ParseArgsConfig["options"]>;

/** Options that every verb has. */
export const COMMON_OPTIONS = {
  config: { type: "string", default: ROLLOUT_CONFIG_FILE },
  json: { type: "boolean", default: false },
  verbose: { type: "boolean", default: false },
  as: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const satisfies Options;

export const COMMON_HELP = `  --config FILE   the description of the deployment (${ROLLOUT_CONFIG_FILE})
  --json          one JSON document on standard output, also about an error; the rest on standard error
  --verbose       every check, also where a failure folds the others away
  --as NAME       who acts, for the evidence (the system's user)
  -h, --help      this text

Exit codes: 0 pass, 1 fail or refused, 2 usage or configuration, 3 inconclusive.
`;

/** Parses the arguments after the verb. Throws a UsageError for unknown or surplus ones. */
export function readArguments<const T extends Options>(
  arguments_: readonly string[],
  options: T,
  positionalsMax: number,
) {
  try {
    const parsed = parseArgs({
      args: [...arguments_],
      options: { ...COMMON_OPTIONS, ...options },
      allowPositionals: true,
      strict: true,
    });
    const extra = parsed.positionals[positionalsMax];
    if (extra !== undefined) throw new UsageError(`unexpected argument "${extra}"`);
    return parsed;
  } catch (error) {
    if (error instanceof UsageError || !(error instanceof TypeError)) throw error;
    throw new UsageError(error.message.split("\n", 1)[0] ?? "");
  }
}

/** Prints progress: with --json on stderr, since stdout holds the document. */
export function createReport(context: VerbContext, { json }: { json: boolean }) {
  const write = json ? context.stderr : context.stdout;
  return (line: string) => write(`${line}\n`);
}
