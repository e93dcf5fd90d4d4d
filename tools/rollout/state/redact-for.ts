import type { Environment } from "../../../services/runtime/env.ts";
import { createRedact, type Redact, readEnvText } from "../evidence/redact.ts";
import { readGivenFile } from "../files/given-file.ts";
import type { Check } from "../terms/verdict.ts";
import type { Journal } from "./journal.ts";

/** Knows the secrets of the environment and of files with the services' environments. */
export async function createRedactFor(
  environment: Environment,
  envFiles: readonly string[],
): Promise<Redact> {
  const texts = await Promise.all(envFiles.map((file) => readGivenFile(file).catch(() => "")));
  return createRedact([environment, ...texts.map(readEnvText)]);
}

/** What was found may quote what a service, a file or a command said. */
export function redactChecks(checks: readonly Check[], redact: Redact): Check[] {
  return checks.map((check) => ({
    ...check,
    observed: redact(check.observed),
    mend: redact(check.mend),
  }));
}

/** Everything in a journal that is a text for people; the rest is compared, and stays as it is. */
export function redactReasons(journal: Journal, redact: Redact): Journal {
  const { activity } = journal.state;
  if (activity.kind !== "rolling-back") return journal;
  const reason = redact(activity.reason);
  return { ...journal, state: { ...journal.state, activity: { ...activity, reason } } };
}
