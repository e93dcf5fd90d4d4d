import picocolors from "picocolors";
import { ConfigError } from "../../../services/runtime/env.ts";
import { UntrustedPlaceError } from "../../trust/untrusted-place.ts";
import { BrokenEvidenceError } from "../evidence/evidence-log.ts";
import { createRedact } from "../evidence/redact.ts";
import { LockedError } from "../files/process-lock.ts";
import { RefusedError } from "../state/rollout-session.ts";
import { wrapText } from "../terminal/wrap-text.ts";
import type { Verb, VerbContext } from "../terms/verb.ts";
import { EXIT, type ExitCode } from "../terms/verdict.ts";
import { UsageError } from "./command-line.ts";

const INTRODUCTION = `Usage: npm run rollout -- VERB [options]     (portcullis-rollout VERB [options])

Judges look and never change anything; stage, rollback and restore-defaults change things. begin starts
the next rollout.
`;

/** Runs the verb that the command line names. An error becomes a message and an exit code. */
export async function runRollout(verbs: readonly Verb[], given: VerbContext): Promise<ExitCode> {
  const context = fitToTerminal(given);
  const colors = picocolors.createColors(context.isTerminal);
  const [name, ...rest] = context.arguments;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    const write = name === undefined ? context.stderr : context.stdout;
    write(renderHelp(verbs));
    return name === undefined ? EXIT.usage : EXIT.pass;
  }
  const verb = verbs.find((candidate) => candidate.name === name);
  try {
    if (verb === undefined) throw new UsageError(`there is no verb "${name}"`);
    return await verb.run({ ...context, arguments: rest, isVerbose: rest.includes("--verbose") });
  } catch (error) {
    const redact = createRedact([context.environment]);
    const message = redact(error instanceof Error ? error.message : String(error));
    const reason = reasonOf(error);
    const isUsage = reason === "usage" || reason === "configuration";
    const exitCode = isUsage ? EXIT.usage : EXIT.fail;
    context.stderr(
      isUsage
        ? `${colors.red(message)}\nsee: rollout ${verb?.name ?? ""} --help\n`
        : `${colors.red(`${reason}: ${message}`)}\n`,
    );
    // With --json, stdout always holds one document.
    if (context.arguments.includes("--json")) {
      const answer = { verb: name, verdict: "fail", exitCode, reason, error: message };
      context.stdout(`${JSON.stringify(answer)}\n`);
    }
    return exitCode;
  }
}

/** Wraps output to the width of the terminal; JSON is never wrapped. */
function fitToTerminal(context: VerbContext): VerbContext {
  const { columns, stdout, stderr } = context;
  if (columns === undefined || context.arguments.includes("--json")) return context;
  return {
    ...context,
    stdout: (text) => stdout(wrapText(text, columns)),
    stderr: (text) => stderr(wrapText(text, columns)),
  };
}

function reasonOf(error: unknown): "usage" | "configuration" | "refused" | "failed" {
  if (error instanceof UsageError) return "usage";
  if (error instanceof ConfigError) return "configuration";
  const isExpected =
    error instanceof RefusedError ||
    error instanceof LockedError ||
    error instanceof UntrustedPlaceError ||
    error instanceof BrokenEvidenceError;
  return isExpected ? "refused" : "failed";
}

function renderHelp(verbs: readonly Verb[]): string {
  const columns = Math.max(...verbs.map(({ name }) => name.length));
  const lines = verbs.map(({ name, summary }) => `  ${name.padEnd(columns)}  ${summary}`);
  return `${INTRODUCTION}\n${lines.join("\n")}\n\nEvery verb has --help, --json and --config FILE.
Exit codes: 0 pass, 1 fail or refused, 2 usage or configuration, 3 inconclusive.
`;
}
