import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import {
  canOthersWrite,
  describe,
  isTrustedOwner,
  ownUserId,
  quote,
  UntrustedPlaceError,
} from "./untrusted-place.ts";

/** For the operator alone: the files contain commands and their output. */
const FILE_MODE = 0o600;
/** Follows no link, and waits for no pipe and no terminal. */
const CAREFULLY = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** How to open a file, in addition to the checks. */
export type Access = "read" | "append" | "read-write" | "new";

const FLAGS: Readonly<Record<Access, number>> = {
  read: constants.O_RDONLY,
  append: constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT,
  "read-write": constants.O_RDWR | constants.O_CREAT,
  new: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

/**
 * Opens a regular file with one name that belongs to us or to the administrator and that others
 * cannot write to. Checks the open descriptor, not the path, so that nobody can exchange the file
 * in between.
 */
export async function openTrusted(file: string, access: Access): Promise<FileHandle> {
  const handle = await openCarefully(file, FLAGS[access]);
  try {
    ensureTrusted(file, await handle.stat());
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function openCarefully(file: string, flags: number): Promise<FileHandle> {
  try {
    return await open(file, flags | CAREFULLY, FILE_MODE);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") throw error;
    // A link, a pipe without a reader, or a directory: the system's message names none of them.
    const stats = await lstat(file).catch(() => undefined);
    if (stats !== undefined && !stats.isFile())
      throw new UntrustedPlaceError(kindText(file, stats));
    throw error;
  }
}

/** Throws if another user could have put the opened file there. */
export function ensureTrusted(file: string, stats: Stats): void {
  if (!stats.isFile()) throw new UntrustedPlaceError(kindText(file, stats));
  if (stats.nlink > 1) {
    throw new UntrustedPlaceError(
      `${file} has ${stats.nlink} names (${describe(stats)}), so it is somebody else's file, too; look at it, then: rm ${quote(file)}`,
    );
  }
  const mends = [
    ...(isTrustedOwner(stats.uid) ? [] : [`chown ${ownUserId()} ${quote(file)}`]),
    ...(canOthersWrite(stats) ? [`chmod go-w ${quote(file)}`] : []),
  ];
  if (mends.length === 0) return;
  throw new UntrustedPlaceError(
    `${file} is not used (${describe(stats)}): others could have written it; look at it, then: ${mends.join(" && ")}`,
  );
}

function kindText(file: string, stats: Stats): string {
  const kinds: readonly [string, boolean][] = [
    ["a link", stats.isSymbolicLink()],
    ["a directory", stats.isDirectory()],
    ["a pipe", stats.isFIFO()],
    ["a device", stats.isCharacterDevice() || stats.isBlockDevice()],
    ["a socket", stats.isSocket()],
  ];
  const kind = kinds.find(([, is]) => is)?.[0] ?? "something else";
  return `${file} is ${kind} (${describe(stats)}) and no file of ours; look at it, then: rm ${quote(file)}`;
}
