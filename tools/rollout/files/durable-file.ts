import { randomUUID } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { openTrusted } from "../../trust/trusted-file.ts";
import { ensureOwnDirectory, ensureTrustedWay, isThere } from "../../trust/trusted-path.ts";

/** Only the operator: commands and their output are in here. */
const DIRECTORY_MODE = 0o700;

/** Makes a directory for private state; throws unless it is ours alone, whoever made it. */
export async function makeStateDirectory(directory: string): Promise<void> {
  if (!isThere(directory)) {
    ensureTrustedWay(directory);
    await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
  }
  ensureOwnDirectory(directory);
}

/**
 * Replaces a file so that after a crash or a power cut at any point either the old or the new
 * content is there, whole.
 */
export async function writeDurably(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomUUID()}`;
  try {
    const handle = await openTrusted(temporary, "new");
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    // Whatever is left of it would only fill the disk more; the first error says what is wrong.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncDirectory(dirname(file));
}

/** Adds to the end of a file; when this returns the text survives a power cut. */
export async function appendDurably(file: string, text: string): Promise<void> {
  const handle = await openTrusted(file, "append");
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The content of a file as a text, or undefined when there is none. */
export async function readIfThere(file: string): Promise<string | undefined> {
  return (await readBytesIfThere(file))?.toString("utf8");
}

/** The content of a file, or undefined when there is none. */
export async function readBytesIfThere(file: string): Promise<Buffer | undefined> {
  const handle = await openTrusted(file, "read").catch((error: unknown) => {
    if (isErrorCode(error, "ENOENT")) return undefined;
    throw error;
  });
  if (handle === undefined) return undefined;
  try {
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

export function isErrorCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

/** A rename is durable only when its directory is. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
