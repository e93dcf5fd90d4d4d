import { constants } from "node:fs";
import { open } from "node:fs/promises";

/**
 * Reads a file that the operator named. Reading it through a link is his to decide, but a pipe or a
 * device in its place would keep the program waiting for ever.
 */
export async function readGivenBytes(file: string): Promise<Buffer> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await handle.stat()).isFile()) throw new Error(`${file} is not a regular file`);
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

export async function readGivenFile(file: string): Promise<string> {
  return (await readGivenBytes(file)).toString("utf8");
}
