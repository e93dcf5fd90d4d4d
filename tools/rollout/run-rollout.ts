import picocolors from "picocolors";
import { isUsageProblem, UsageError } from "./command-line.ts";
import { BrokenEvidenceError } from "./evidence-log.ts";
import { LockedError } from "./process-lock.ts";
import { RefusedError } from "./rollout-session.ts";
import type { Verb, VerbContext } from "./verb.ts";
import { EXIT, type ExitCode } from "./verdict.ts";

const INTRODUCTION = `Usage: npm run rollout -- VERB [options]     (portcullis-rollout VERB [options])

Judges look and never change anything; stage, rollback and restore-defaults change things.
`;

/** Runs the verb that the command line names, and answers the exit code whatever happens. */
export async function runRollout(verbs: readonly Verb[], context: VerbContext): Promise<ExitCode> {
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
    return await verb.run({ ...context, arguments: rest });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (isUsageProblem(error)) {
      context.stderr(`${colors.red(message)}\nsee: rollout ${verb?.name ?? ""} --help\n`);
      return EXIT.usage;
    }
    const word = isExpected(error) ? "refused" : "failed";
    context.stderr(`${colors.red(`${word}: ${message}`)}\n`);
    // With --json there is always one document to read.
    if (rest.includes("--json")) {
      context.stdout(`${JSON.stringify({ verb: name, verdict: "fail", [word]: message })}\n`);
    }
    return EXIT.fail;
  }
}

function isExpected(error: unknown): boolean {
  return (
    error instanceof RefusedError ||
    error instanceof LockedError ||
    error instanceof BrokenEvidenceError
  );
}

function renderHelp(verbs: readonly Verb[]): string {
  const columns = Math.max(...verbs.map(({ name }) => name.length));
  const lines = verbs.map(({ name, summary }) => `  ${name.padEnd(columns)}  ${summary}`);
  return `${INTRODUCTION}\n${lines.join("\n")}\n\nEvery verb has --help, --json and --config FILE.
Exit codes: 0 pass, 1 fail or refused, 2 usage or configuration, 3 inconclusive.
`;
}
