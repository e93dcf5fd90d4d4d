import { randomUUID } from "node:crypto";
import { link, rename, rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isErrorCode, readIfThere } from "./durable-file.ts";
import { identityOf, isAlive, type ProcessIdentity } from "./process-identity.ts";

/** A right that one living process has at a time. */
export type ProcessLock = {
  /** Throws when the lock was taken over; to be asked before every effect. */
  ensureHeld(): Promise<void>;
  release(): Promise<void>;
};

export type LockHolder = { id: string; process: ProcessIdentity; purpose: string };

/** Thrown when another living process holds the lock for longer than one wants to wait. */
export class LockedError extends Error {
  override name = "LockedError";
  readonly holder: LockHolder;

  constructor(holder: LockHolder) {
    super(`process ${holder.process.pid} is at work here (${holder.purpose})`);
    this.holder = holder;
  }
}

const POLL_MS = 20;

/** Takes a lock; waits while a living process holds it, and takes over from a dead one. */
export async function acquireLock(
  file: string,
  options: { purpose: string; waitMs: number },
): Promise<ProcessLock> {
  const mine: LockHolder = {
    id: randomUUID(),
    process: identityOf(process.pid),
    purpose: options.purpose,
  };
  const draft = `${file}.${mine.id}`;
  const deadline = performance.now() + options.waitMs;
  await writeFile(draft, JSON.stringify(mine), { mode: 0o600 });
  try {
    for (;;) {
      if (await tryLink(draft, file)) return createLock(file, mine);
      const holder = await readHolder(file);
      if (holder !== undefined && !isAlive(holder.process)) {
        if (await replaceDead(file, holder, draft)) return createLock(file, mine);
        await sleep(POLL_MS);
      } else if (holder !== undefined && performance.now() >= deadline)
        throw new LockedError(holder);
      else if (holder !== undefined) await sleep(POLL_MS);
    }
  } finally {
    await rm(draft, { force: true });
  }
}

/** Who holds a lock, if anybody who lives does. */
export async function findHolder(file: string): Promise<LockHolder | undefined> {
  const holder = await readHolder(file);
  return holder !== undefined && isAlive(holder.process) ? holder : undefined;
}

function createLock(file: string, mine: LockHolder): ProcessLock {
  const isMine = async () => (await readHolder(file))?.id === mine.id;
  return {
    async ensureHeld() {
      if (!(await isMine()))
        throw new Error("another process took over; nothing more is done here");
    },
    async release() {
      if (await isMine()) await rm(file, { force: true });
    },
  };
}

/** A hard link appears with its whole content, or not at all when the name is taken. */
async function tryLink(draft: string, file: string): Promise<boolean> {
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if (isErrorCode(error, "EEXIST")) return false;
    throw error;
  }
}

async function readHolder(file: string): Promise<LockHolder | undefined> {
  const text = await readIfThere(file);
  return text === undefined ? undefined : JSON.parse(text);
}

/**
 * Puts our draft in the place of a dead holder's lock; answers whether it was us who did. Whoever
 * wants to do so holds a guard named after that very holder, so that nobody replaces what somebody
 * living has taken meanwhile. A guard whose own holder died is replaced in the same way.
 */
async function replaceDead(file: string, dead: LockHolder, draft: string): Promise<boolean> {
  const guard = `${file}.${dead.id}`;
  if (!(await tryLink(draft, guard))) {
    const other = await readHolder(guard);
    if (other === undefined || isAlive(other.process)) return false;
    if (!(await replaceDead(guard, other, draft))) return false;
  }
  try {
    if ((await readHolder(file))?.id !== dead.id) return false;
    const successor = `${draft}.successor`;
    await link(draft, successor);
    await rename(successor, file);
    return true;
  } finally {
    await rm(guard, { force: true });
  }
}
