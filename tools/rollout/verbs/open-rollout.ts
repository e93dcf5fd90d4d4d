import { systemClock } from "../../../services/runtime/clock.ts";
import { ensureOwnDirectory, isThere } from "../../trust/trusted-path.ts";
import { type StateFiles, stateFilesIn } from "../files/state-files.ts";
import { loadRolloutConfig, type RolloutConfig } from "../settings/rollout-config.ts";
import { planFrom } from "../state/rollout-plan.ts";
import { openSession, type Session } from "../state/rollout-session.ts";
import type { VerbContext } from "../terms/verb.ts";
import { findActingUser } from "./acting-user.ts";
import { COMMON_OPTIONS, createReport } from "./command-line.ts";

/** What the common options of a verb resolve to. */
export type Rollout = {
  config: RolloutConfig;
  files: StateFiles;
  /** The acting user, for the evidence. */
  who: string;
  report: (line: string) => void;
};

/** Long enough for an ending timer to release the lock; any other holder is reported soon. */
const LOCK_WAIT_MS = 1_000;

export async function openRollout(
  context: VerbContext,
  values: { config?: string; json?: boolean; as?: string | undefined },
): Promise<Rollout> {
  const who = findActingUser(values.as, context.environment);
  const config = await loadRolloutConfig(values.config ?? COMMON_OPTIONS.config.default);
  if (isThere(config.stateDir)) ensureOwnDirectory(config.stateDir);
  const report = createReport(context, { json: values.json ?? false });
  return { config, files: stateFilesIn(config.stateDir), who, report };
}

/** Runs `use` while holding the session lock. Throws a LockedError if another process keeps it. */
export async function withSession<Answer>(
  context: VerbContext,
  { config, files, who, report }: Rollout,
  options: { purpose: string; withoutRecord: "stop" | "carry-on" },
  use: (session: Session) => Promise<Answer>,
): Promise<Answer> {
  const { environment } = context;
  const clock = systemClock;
  const waitMs = LOCK_WAIT_MS;
  const plan = planFrom(config, who);
  const session = await openSession({
    files,
    report,
    environment,
    plan,
    clock,
    waitMs,
    ...options,
  });
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}
