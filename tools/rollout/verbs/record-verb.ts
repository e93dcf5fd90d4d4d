import { systemClock } from "../../../services/runtime/clock.ts";
import type { Redact } from "../evidence/redact.ts";
import { stateFilesIn } from "../files/state-files.ts";
import {
  loadRolloutConfig,
  ROLLOUT_CONFIG_FILE,
  type RolloutConfig,
} from "../settings/rollout-config.ts";
import { createRedactFor } from "../state/redact-for.ts";
import { envFilesOf } from "../state/rollout-plan.ts";
import { recordAside } from "../state/rollout-session.ts";
import type { Verb } from "../terms/verb.ts";
import { findActingUser } from "./acting-user.ts";

/** A live table repaints for hours; the evidence keeps only its end. */
const PRINTED_CHARACTERS_MAX = 16_384;

/** No secret of ours is longer. */
const SECRET_CHARACTERS_MAX = 4_096;

/** Wraps a verb: adds its output and its exit code to the evidence. */
export function recordVerb(verb: Verb): Verb {
  return {
    ...verb,
    async run(context) {
      let printed = "";
      const stdout = (text: string) => {
        printed = `${printed}${text}`.slice(-PRINTED_CHARACTERS_MAX - SECRET_CHARACTERS_MAX);
        context.stdout(text);
      };
      const exitCode = await verb.run({ ...context, stdout });
      const config = await findConfig(context.arguments);
      // With --help, or without a readable configuration, the verb has checked nothing.
      if (config === undefined || isHelp(context.arguments)) return exitCode;
      try {
        const redact = await createRedactFor(context.environment, envFilesOf(config));
        const who = findActingUser(findOption(context.arguments, "as"), context.environment);
        await recordAside(
          stateFilesIn(config.stateDir),
          { redact, clock: systemClock, who },
          {
            kind: `verb-${verb.name}`,
            data: { arguments: context.arguments, exitCode, printed: endOf(printed, redact) },
          },
        );
      } catch (error) {
        // A failure to record must not change the judge's exit code.
        context.stderr(`not added to the evidence: ${String(error)}\n`);
      }
      return exitCode;
    },
  };
}

async function findConfig(arguments_: readonly string[]): Promise<RolloutConfig | undefined> {
  const file = findOption(arguments_, "config") ?? ROLLOUT_CONFIG_FILE;
  return await loadRolloutConfig(file).catch(() => undefined);
}

function findOption(arguments_: readonly string[], name: string): string | undefined {
  const joined = arguments_.find((argument) => argument.startsWith(`--${name}=`));
  if (joined !== undefined) return joined.slice(`--${name}=`.length);
  const at = arguments_.indexOf(`--${name}`);
  return at < 0 ? undefined : arguments_[at + 1];
}

function isHelp(arguments_: readonly string[]): boolean {
  return arguments_.includes("--help") || arguments_.includes("-h");
}

/** Redacts before cutting: redaction would miss half a secret. */
function endOf(printed: string, redact: Redact): unknown {
  if (printed.length <= PRINTED_CHARACTERS_MAX) return decodeJson(printed);
  return redact(printed).slice(SECRET_CHARACTERS_MAX).slice(-PRINTED_CHARACTERS_MAX);
}

function decodeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
