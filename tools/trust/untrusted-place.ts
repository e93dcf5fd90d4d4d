import type { Stats } from "node:fs";

/** Thrown instead of using a file that another user could have put there. */
export class UntrustedPlaceError extends Error {
  override name = "UntrustedPlaceError";
}

/** The user id of this process. */
export function ownUserId(): number {
  return process.geteuid?.() ?? 0;
}

/** Users whom we must trust: ourselves and the administrator. */
export function isTrustedOwner(uid: number): boolean {
  return uid === 0 || uid === ownUserId();
}

const GROUP_WRITE = 0o020;
const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;

/** Whether only the owner can write. */
export function isOwnersAlone({ mode }: Stats): boolean {
  return (mode & (GROUP_WRITE | OTHERS_WRITE)) === 0;
}

/**
 * Whether other users could write. On many systems each user has a private group, so our own group
 * counts as ourselves; a file of the administrator must not be writable by any group.
 */
export function canOthersWrite({ mode, gid }: Stats): boolean {
  if ((mode & OTHERS_WRITE) !== 0) return true;
  const isOwnGroup = ownUserId() !== 0 && gid === process.getegid?.();
  return (mode & GROUP_WRITE) !== 0 && !isOwnGroup;
}

/** A directory such as /tmp: everybody may create names, and nobody may replace another user's. */
export function isSticky({ mode }: Stats): boolean {
  return (mode & STICKY) !== 0;
}

/**
 * Describes a file for an error message: its owner and its mode, as `ls -n` and `chmod` show them.
 */
export function describe({ uid, mode }: Stats): string {
  return `owner ${uid}, mode ${(mode & 0o7777).toString(8).padStart(4, "0")}`;
}

/** Quotes a path for a shell. */
export function quote(path: string): string {
  return /^[\w./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
