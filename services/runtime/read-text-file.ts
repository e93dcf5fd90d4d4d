import { readFile } from "node:fs/promises";

/** Reads a file; a parameter of pure code, which does no I/O itself. */
export type ReadText = (file: string | URL) => Promise<string>;

export const readTextFile: ReadText = (file) => readFile(file, "utf8");
