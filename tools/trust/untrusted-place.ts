import type { Stats } from "node:fs";

/** Thrown instead of following or using what somebody else could have put there. */
export class UntrustedPlaceError extends Error {
  override name = "UntrustedPlaceError";
}

/** The user that this process acts as. */
export function ownUserId(): number {
  return process.geteuid?.() ?? 0;
}

/** Whom nobody can be protected from: ourselves, and the administrator. */
export function isTrustedOwner(uid: number): boolean {
  return uid === 0 || uid === ownUserId();
}

const GROUP_WRITE = 0o020;
const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;

/** Whether only the owner can change something. */
export function isOwnersAlone({ mode }: Stats): boolean {
  return (mode & (GROUP_WRITE | OTHERS_WRITE)) === 0;
}

/**
 * Whether others could change something. Where every user has a group of his own, as many systems
 * have it, our own group is nobody else; the administrator is held to the letter.
 */
export function canOthersWrite({ mode, gid }: Stats): boolean {
  if ((mode & OTHERS_WRITE) !== 0) return true;
  const isOwnGroup = ownUserId() !== 0 && gid === process.getegid?.();
  return (mode & GROUP_WRITE) !== 0 && !isOwnGroup;
}

/** A directory such as /tmp, where everybody may make names and nobody may replace another's. */
export function isSticky({ mode }: Stats): boolean {
  return (mode & STICKY) !== 0;
}

/** What is known of a place, for an error: its owner and mode as `ls -n` and `chmod` have them. */
export function describe({ uid, mode }: Stats): string {
  return `owner ${uid}, mode ${(mode & 0o7777).toString(8).padStart(4, "0")}`;
}

/** A path as a shell takes it. */
export function quote(path: string): string {
  return /^[\w./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
