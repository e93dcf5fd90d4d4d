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

/** Others may read reports and configurations. */
const FILE_MODE = 0o644;

/**
 * Writes a file that the operator named, without following a link: a new file replaces the old one.
 * Replaces an existing file only if it is ours.
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
