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

/** A live table repaints itself for hours; its end says what matters. */
const PRINTED_CHARACTERS_MAX = 16_384;

/** No secret of ours is longer. */
const SECRET_CHARACTERS_MAX = 4_096;

/** The same verb, with what it printed and how it ended added to the evidence. */
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
      // Help and a wrong command line have looked at nothing.
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
        // A judge's answer stands, whether or not it could be kept.
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

/** Secrets go before the text is cut, since half a secret is not found. */
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
