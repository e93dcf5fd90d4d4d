import { setTimeout as sleep } from "node:timers/promises";
import { acquireLock, findHolder, LockedError, type ProcessLock } from "./process-lock.ts";

/** The right to change the deployment, as long as a session has it. */
export type SessionLock = {
  /** Throws when somebody else may change things now; to be asked before every effect. */
  ensureAlone(): Promise<void>;
  release(): Promise<void>;
};

export type SessionLockOptions = {
  purpose: string;
  /** How long to wait for somebody else who is at work. */
  waitMs: number;
  /** What to do when no lock can be made, for example on a disk that became read-only. */
  withoutLock: "stop" | "carry-on";
  report(line: string): void;
};

/** What can be the matter with a disk for a moment is over by then. */
const ATTEMPTS = 3;
const RETRY_PAUSE_MS = 250;

/** Takes the lock; throws a LockedError when somebody else keeps it. */
export async function takeSessionLock(
  file: string,
  options: SessionLockOptions,
): Promise<SessionLock> {
  if (options.withoutLock === "stop") {
    const lock = await acquireLock(file, options);
    return { ensureAlone: lock.ensureHeld, release: lock.release };
  }
  const lock = await acquireIfPossible(file, options);
  return {
    /** A lock that is gone stops nobody who carries on; a living holder does. */
    async ensureAlone() {
      const holder = await findHolder(file).catch(() => undefined);
      if (holder !== undefined && holder.id !== lock?.id) throw new LockedError(holder);
    },
    async release() {
      await lock?.release().catch((error: unknown) => {
        options.report(`could not give the lock back: ${String(error)}`);
      });
    },
  };
}

async function acquireIfPossible(
  file: string,
  options: SessionLockOptions,
): Promise<ProcessLock | undefined> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    if (attempt > 1) await sleep(RETRY_PAUSE_MS);
    try {
      return await acquireLock(file, options);
    } catch (error) {
      if (error instanceof LockedError) throw error;
      options.report(`could not take the lock: ${String(error)}`);
    }
  }
  // Nobody can take it now, but somebody may have had it before.
  const holder = await findHolder(file).catch(() => undefined);
  if (holder !== undefined) throw new LockedError(holder);
  options.report("goes on WITHOUT THE LOCK: let nobody else change anything now");
  return undefined;
}
