import { toJson } from "../evidence/json.ts";
import { redactJson } from "../evidence/redact.ts";
import type { Session } from "../state/rollout-session.ts";
import type { Change, Position, RollbackBy } from "../state/rollout-state.ts";
import { type Check, overall } from "../terms/verdict.ts";

/** The outcome of a rollback, for an operator who was not watching. */
export type RollbackOutcome = {
  to: Position;
  by: RollbackBy;
  reason: string;
  takenBack: readonly Change[];
  /** The change whose command failed, if one did. */
  failed: Change | undefined;
  /** The comparison with the state before; empty if no snapshot had been taken. */
  checks: readonly Check[];
};

/** A notification that takes longer is lost: the rollback is complete and does not wait. */
const NOTIFY_TIMEOUT_MS = 30_000;

/** Runs the operator's notify command with the outcome on stdin. A failure is only reported. */
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
