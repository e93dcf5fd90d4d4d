import { randomUUID } from "node:crypto";
import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { ensureNoForeignLink } from "./trusted-path.ts";
import { describe, isTrustedOwner, quote, UntrustedPlaceError } from "./untrusted-place.ts";

/** Reports and configurations are to be read by others. */
const FILE_MODE = 0o644;

/**
 * Writes a file that the operator named, through no link: a new file takes the place of the old
 * one. What is there already is replaced only when it is a file of ours.
 */
export function replaceFile(file: string, text: string): void {
  ensureNoForeignLink(dirname(file));
  ensureReplaceable(file);
  const temporary = `${file}.${randomUUID()}`;
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  try {
    const descriptor = openSync(temporary, flags, FILE_MODE);
    try {
      writeFileSync(descriptor, text);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function ensureReplaceable(file: string): void {
  const stats = lstatSync(file, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (stats.isFile() && stats.nlink === 1 && isTrustedOwner(stats.uid)) return;
  throw new UntrustedPlaceError(
    `${file} is no file of ours (${describe(stats)}) and is not written over; name another one, or: rm ${quote(file)}`,
  );
}
