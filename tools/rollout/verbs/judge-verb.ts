import type { ParseArgsConfig } from "node:util";
import { systemClock } from "../../../services/runtime/clock.ts";
import { findPlace, type Place } from "../judge/find-place.ts";
import type { Tracks } from "../judge/measure-gates.ts";
import type { JudgeInput } from "../judge/options-from-config.ts";
import { loadRolloutConfig } from "../settings/rollout-config.ts";
import { createRedactFor, redactChecks } from "../state/redact-for.ts";
import { envFilesOf } from "../state/rollout-plan.ts";
import { createLiveLine, type LiveLine } from "../terminal/live-line.ts";
import { renderChecks, renderChecksJson } from "../terminal/report.ts";
import type { Verb } from "../terms/verb.ts";
import { type Check, EXIT, overall } from "../terms/verdict.ts";
import { COMMON_HELP, COMMON_OPTIONS, readArguments, UsageError } from "./command-line.ts";

type Values = Readonly<Record<string, unknown>>;

/** Creates a verb that checks the deployment and changes nothing. */
export function createJudgeVerb(options: {
  name: string;
  summary: string;
  /** What the verb checks, for `--help`. */
  description: string;
  /** Help text of the verb's own options, aligned like the common ones. */
  optionsHelp?: string;
  options?: NonNullable<ParseArgsConfig["options"]>;
  judge(
    input: JudgeInput,
    values: Values,
    around: { progress: LiveLine["show"]; place: Place },
  ): Promise<readonly Check[]>;
}): Verb {
  const { name, summary } = options;
  return {
    name,
    summary,
    async run(context) {
      const { values } = readArguments(context.arguments, options.options ?? {}, 0);
      const own: Values = values;
      if (own["help"] === true) {
        context.stdout(
          `Usage: rollout ${name} [options]\n\n${options.description}\n\n${options.optionsHelp ?? ""}${COMMON_HELP}`,
        );
        return EXIT.pass;
      }
      const file = own["config"];
      const config = await loadRolloutConfig(
        typeof file === "string" ? file : COMMON_OPTIONS.config.default,
      );
      const { environment, signal } = context;
      const progress = createLiveLine(context, systemClock.nowMs);
      const redact = await createRedactFor(environment, envFilesOf(config));
      const place = await findPlace(config);
      const { expectedHops, applied } = place;
      const input = { config, environment, expectedHops, applied, signal };
      const found = await options
        .judge(input, own, { progress: progress.show, place })
        .finally(progress.clear);
      const checks = redactChecks(found, redact);
      const render =
        own["json"] === true ? renderChecksJson(checks) : renderChecks(checks, context);
      context.stdout(render);
      return EXIT[overall(checks)];
    },
  };
}

/** Reads a numeric option; undefined if absent. Throws a UsageError if it is out of bounds. */
export function readNumber(
  values: Values,
  name: string,
  bounds: { min: number; max: number },
): number | undefined {
  const text = values[name];
  if (typeof text !== "string") return undefined;
  const number = Number(text);
  if (text.trim() !== "" && number >= bounds.min && number <= bounds.max) return number;
  throw new UsageError(`--${name} must be a number from ${bounds.min} to ${bounds.max}`);
}

/** Options that make the gates compare two tracks instead of two times. */
export const TRACK_OPTIONS = {
  track: { type: "string" },
  control: { type: "string" },
} as const;

export const TRACK_HELP = `  --track NAME        judge the targets with this label \`track\` alone, and
  --control NAME      compare them with those of this track instead of with the time before
`;

export function readTracks(values: Values): Tracks | undefined {
  const { track, control } = values;
  if (typeof track === "string" && typeof control === "string") return { canary: track, control };
  if (track === undefined && control === undefined) return undefined;
  throw new UsageError("--track and --control are given together");
}
