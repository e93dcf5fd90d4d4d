import { randomUUID } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { devNull, tmpdir } from "node:os";
import { join } from "node:path";
import { type Access, openTrusted } from "../../trust/trusted-file.ts";

/** What most commands say less than. */
const ROOM_BYTES = 65_536;

/**
 * Opens what takes the output of a command: a file, so that the command does not die with its
 * reader. Many commands fail when they cannot write what they say, so a full disk is passed over for
 * the temporary directory; where that is full too, going back is worth more than what was said.
 */
export async function openCommandOutput(file: string): Promise<FileHandle> {
  return (
    (await openWithRoom(file, "read-write")) ??
    (await openTemporary()) ??
    (await open(devNull, "r+"))
  );
}

async function openTemporary(): Promise<FileHandle | undefined> {
  const file = join(tmpdir(), `portcullis-rollout-${randomUUID()}`);
  // It must be new: in a directory of everybody, somebody could have left a link.
  const output = await openWithRoom(file, "new");
  // Read by its handle alone, and gone with the last one who has it open.
  await rm(file, { force: true }).catch(() => undefined);
  return output;
}

async function openWithRoom(file: string, access: Access): Promise<FileHandle | undefined> {
  const output = await openTrusted(file, access).catch(() => undefined);
  if (output === undefined) return undefined;
  await output.truncate().catch(() => undefined);
  const written = await output
    .write(Buffer.alloc(ROOM_BYTES), 0, ROOM_BYTES, 0)
    .then(({ bytesWritten }) => bytesWritten)
    .catch(() => 0);
  if (written === ROOM_BYTES) {
    await output.truncate();
    return output;
  }
  await output.truncate().catch(() => undefined);
  await output.close();
  return undefined;
}
