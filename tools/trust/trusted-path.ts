import { lstatSync, readdirSync, readlinkSync, type Stats } from "node:fs";
import { dirname, isAbsolute, join, parse, resolve, sep } from "node:path";
import {
  canOthersWrite,
  describe,
  isOwnersAlone,
  isSticky,
  isTrustedOwner,
  ownUserId,
  quote,
  UntrustedPlaceError,
} from "./untrusted-place.ts";

/** More links than this are a loop; the kernel has the same bound. */
const LINKS_MAX = 40;

/**
 * Walks from the root to a path. Throws if another user could have put a part of it there: a
 * directory that belongs to another user or is writable by others, or another user's link. A
 * missing part is no danger. Returns the real path.
 */
export function ensureTrustedWay(path: string): string {
  return walkTo(path, ensureTrustedParent);
}

/** Does the same for a file in a directory shared with others: refuses only links. */
export function ensureNoForeignLink(path: string): string {
  return walkTo(path, () => undefined);
}

function walkTo(path: string, ensureParent: (directory: string) => void): string {
  let linksLeft = LINKS_MAX;
  const walk = (target: string): string => {
    const { root } = parse(target);
    let here = root;
    for (const name of target.slice(root.length).split(sep).filter(Boolean)) {
      ensureParent(here);
      const next = join(here, name);
      const stats = statIfThere(next);
      if (stats?.isSymbolicLink() !== true) {
        here = next;
        continue;
      }
      ensureTrustedLink(next, stats);
      linksLeft -= 1;
      if (linksLeft < 0) throw new UntrustedPlaceError(`${path} is a link that leads in a circle`);
      const to = readlinkSync(next);
      here = walk(isAbsolute(to) ? resolve(to) : resolve(here, to));
    }
    return here;
  };
  return walk(resolve(path));
}

/** Throws unless a directory exists, is ours alone, and is reached without another user's link. */
export function ensureOwnDirectory(directory: string): void {
  const absolute = resolve(directory);
  const stats = statIfThere(absolute);
  ensureTrustedWay(dirname(absolute));
  if (stats === undefined) throw new UntrustedPlaceError(`${absolute} is not there`);
  if (stats.isSymbolicLink()) {
    const to = readlinkSync(absolute);
    throw new UntrustedPlaceError(
      `${absolute} is a link to ${to} (${describe(stats)}), and links are not followed here; name the directory itself, or: rm ${quote(absolute)}`,
    );
  }
  if (!stats.isDirectory()) throw new UntrustedPlaceError(`${absolute} is no directory`);
  const mends = [
    ...(stats.uid === ownUserId() ? [] : [`chown ${ownUserId()} ${quote(absolute)}`]),
    ...(isOwnersAlone(stats) || isShelf(absolute, stats) ? [] : [`chmod go-w ${quote(absolute)}`]),
  ];
  if (mends.length === 0) return;
  const why = stats.uid === ownUserId() ? "others can write to it" : "it belongs to somebody else";
  throw new UntrustedPlaceError(
    `${absolute} is not used (${describe(stats)}): ${why}, so what is in it may be anybody's; look what is in it, then: ${mends.join(" && ")}`,
  );
}

/**
 * A directory like the root of a fresh disk: others may create names in it but cannot replace ours,
 * and everything in it is ours. Each file is checked again when it is opened.
 */
function isShelf(directory: string, stats: Stats): boolean {
  if (!isSticky(stats)) return false;
  return readdirSync(directory).every((name) => {
    const entry = statIfThere(join(directory, name));
    return entry === undefined || isTrustedOwner(entry.uid);
  });
}

/** On the way to a path it is enough that nobody else can replace a directory's entries. */
function ensureTrustedParent(directory: string): void {
  const stats = statIfThere(directory);
  if (stats === undefined || !stats.isDirectory()) return;
  const mends = [
    ...(isTrustedOwner(stats.uid) ? [] : [`chown ${ownUserId()} ${quote(directory)}`]),
    ...(canOthersWrite(stats) && !isSticky(stats) ? [`chmod go-w ${quote(directory)}`] : []),
  ];
  if (mends.length === 0) return;
  throw new UntrustedPlaceError(
    `${directory} is not trusted (${describe(stats)}): others could exchange what is in it; mend it with: ${mends.join(" && ")}`,
  );
}

function ensureTrustedLink(link: string, stats: Stats): void {
  if (isTrustedOwner(stats.uid)) return;
  throw new UntrustedPlaceError(
    `${link} is a link of another user (${describe(stats)}) and is not followed; remove it with: rm ${quote(link)}`,
  );
}

/** Whether anything exists at a path, even a dangling link. */
export function isThere(path: string): boolean {
  return statIfThere(path) !== undefined;
}

function statIfThere(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}
