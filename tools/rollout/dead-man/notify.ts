import { toJson } from "../evidence/json.ts";
import { redactJson } from "../evidence/redact.ts";
import type { Session } from "../state/rollout-session.ts";
import type { Change, Position, RollbackBy } from "../state/rollout-state.ts";
import { type Check, overall } from "../terms/verdict.ts";

/** The outcome of a rollback, for operators who did not watch it. */
export type RollbackOutcome = {
  to: Position;
  by: RollbackBy;
  reason: string;
  takenBack: readonly Change[];
  /** The change whose command failed, if one did. */
  failed: Change | undefined;
  /** What was compared afterwards; nothing where nobody had looked before. */
  checks: readonly Check[];
};

/** A command that takes longer is ended: the rollback is over and does not wait for it. */
const NOTIFY_TIMEOUT_MS = 30_000;

/** Hands the outcome to the operator's command; a failure of it changes nothing else. */
export async function notify(session: Session, outcome: RollbackOutcome): Promise<void> {
  const { notify: command, who } = session.plan;
  if (command === undefined) return;
  const { failed, ...rest } = outcome;
  const message = toJson({
    event: "rollback",
    verdict: failed === undefined ? overall(outcome.checks) : "fail",
    ...rest,
    failed: failed ?? null,
    who,
    rollout: session.journal().rollout ?? null,
    at: new Date(session.nowMs()),
  });
  const { exitCode, stoppedBy, output } = await session.run({
    purpose: "notify",
    command,
    timeoutMs: NOTIFY_TIMEOUT_MS,
    signal: new AbortController().signal,
    input: `${JSON.stringify(redactJson(message, session.redact))}\n`,
  });
  if (exitCode === 0) return;
  session.report(`NOBODY WAS NOTIFIED (${stoppedBy ?? `exit ${exitCode}`}): ${output.trimEnd()}`);
}
