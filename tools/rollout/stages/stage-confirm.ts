import { waitUntilEnded } from "../dead-man/dead-man-timer.ts";
import type { StateFiles } from "../files/state-files.ts";
import { RefusedError, type Session } from "../state/rollout-session.ts";
import { confirmStage, type Position } from "../state/rollout-state.ts";

/**
 * Confirms the waiting stage and disarms its timer. Throws a RefusedError if not allowed or too
 * late.
 */
export async function confirmWaitingStage(
  session: Session,
  files: StateFiles,
  options: { takesOnDoubt: string | undefined },
): Promise<Position> {
  const { state, timer } = session.journal();
  const transition = confirmStage(
    state,
    options.takesOnDoubt === undefined ? ["pass"] : ["pass", "inconclusive"],
  );
  if (timer !== null && session.nowMs() >= timer.deadlineAtMs) {
    throw new RefusedError("the time to confirm is over; the timer takes the stage back");
  }
  if (transition.kind === "refused") throw new RefusedError(transition.reason);
  const { position } = transition.state;
  // Record first: a confirmation that cannot be recorded must not count.
  await session.record("stage-confirmed", { position, takesOnDoubt: options.takesOnDoubt });
  await session.step(transition, { timer: null });
  if (timer !== null) {
    const hasEnded = await waitUntilEnded(files, timer.token);
    await session.record("timer-disarmed", { hasEnded });
  }
  return position;
}
