import { randomBytes } from "node:crypto";
import { lstat, readlink, rename, rm, symlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isTrustedOwner } from "../../trust/untrusted-place.ts";
import { isErrorCode } from "./durable-file.ts";
import { identityOf, isAlive, type ProcessIdentity } from "./process-identity.ts";

/** A right that one living process has at a time. */
export type ProcessLock = {
  id: string;
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

/** What is in the place of a lock; without a holder it is something that names none. */
type Occupant = { id: string; holder: LockHolder | undefined };

const POLL_MS = 20;
/** With it, the target of a lock stays shorter than the 60 bytes that need no block on a disk. */
const ID_BYTES = 6;
/** No holder's id: theirs are hexadecimal. */
const DAMAGED: Occupant = { id: "damaged", holder: undefined };

/**
 * Takes a lock; waits while a living process holds it, and takes over from a dead one. The lock is
 * a link that points nowhere and whose target names the holder: it appears whole or not at all, and
 * a full disk has room for it.
 */
export async function acquireLock(
  file: string,
  options: { purpose: string; waitMs: number },
): Promise<ProcessLock> {
  const mine: LockHolder = {
    id: randomBytes(ID_BYTES).toString("hex"),
    process: identityOf(process.pid),
    purpose: options.purpose,
  };
  const deadline = performance.now() + options.waitMs;
  for (;;) {
    if (await tryTake(file, mine)) return createLock(file, mine);
    const occupant = await findOccupant(file);
    if (occupant === undefined) continue;
    const holder = livingHolder(occupant);
    if (holder === undefined) {
      if (await replaceDead(file, occupant, mine)) return createLock(file, mine);
    } else if (performance.now() >= deadline) throw new LockedError(holder);
    await sleep(POLL_MS);
  }
}

/** Who holds a lock, if anybody who lives does. */
export async function findHolder(file: string): Promise<LockHolder | undefined> {
  const occupant = await findOccupant(file);
  return occupant && livingHolder(occupant);
}

function createLock(file: string, mine: LockHolder): ProcessLock {
  const isMine = async () => (await findOccupant(file))?.id === mine.id;
  return {
    id: mine.id,
    async ensureHeld() {
      if (!(await isMine()))
        throw new Error("another process took over; nothing more is done here");
    },
    async release() {
      if (await isMine()) await rm(file, { force: true });
    },
  };
}

/** Answers false when the place is taken. */
async function tryTake(file: string, mine: LockHolder): Promise<boolean> {
  try {
    await symlink(toTarget(mine), file);
    return true;
  } catch (error) {
    if (isErrorCode(error, "EEXIST")) return false;
    throw error;
  }
}

/** Nobody who lives can hold what names nobody: a lock of ours always appears whole. */
async function findOccupant(file: string): Promise<Occupant | undefined> {
  try {
    const target = await readlink(file);
    // Another user's link names nobody: whoever is named here may be ended.
    const { uid } = await lstat(file);
    return isTrustedOwner(uid) ? (fromTarget(target) ?? DAMAGED) : DAMAGED;
  } catch (error) {
    if (isErrorCode(error, "ENOENT")) return undefined;
    // Not a link, whatever it is.
    if (isErrorCode(error, "EINVAL")) return DAMAGED;
    throw error;
  }
}

function livingHolder({ holder }: Occupant): LockHolder | undefined {
  return holder !== undefined && isAlive(holder.process) ? holder : undefined;
}

function toTarget({ id, process: { pid, startedAt }, purpose }: LockHolder): string {
  return `${pid} ${startedAt} ${id} ${purpose}`;
}

const TARGET = /^([1-9]\d*) (\S+) ([\w-]+) (.*)$/;

function fromTarget(target: string): Occupant | undefined {
  const [, pid, startedAt, id, purpose] = TARGET.exec(target) ?? [];
  if (startedAt === undefined || id === undefined || purpose === undefined) return undefined;
  return { id, holder: { id, process: { pid: Number(pid), startedAt }, purpose } };
}

/**
 * Puts our lock in the place of a dead holder's; answers whether it was us who did. Whoever wants
 * to do so holds a guard named after that very holder, so that nobody replaces what somebody living
 * has taken meanwhile. A guard whose own holder died is replaced in the same way.
 */
async function replaceDead(file: string, dead: Occupant, mine: LockHolder): Promise<boolean> {
  const guard = `${file}.${dead.id}`;
  if (!(await tryTake(guard, mine))) {
    const other = await findOccupant(guard);
    if (other === undefined || livingHolder(other) !== undefined) return false;
    if (!(await replaceDead(guard, other, mine))) return false;
  }
  const successor = `${file}.${mine.id}`;
  try {
    if ((await findOccupant(file))?.id !== dead.id) return false;
    await symlink(toTarget(mine), successor);
    await rename(successor, file);
    return true;
  } finally {
    await rm(successor, { force: true });
    await rm(guard, { force: true });
  }
}
