import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { HaproxyLine } from "./sections.ts";

/** The files of patterns that a condition on the peer names, with what they hold. */
export type PeerList = {
  name: string;
  /** Undefined where the file cannot be read here. */
  ranges: readonly string[] | undefined;
};

/** Reads every list behind "src -f"; HAProxy looks for it where it runs. */
export function readPeerLists({ words, file }: HaproxyLine): PeerList[] {
  return words.flatMap((word, index) => {
    const name = words[index + 1];
    const isSource = words.lastIndexOf("src", index) >= 0;
    if (word !== "-f" || name === undefined || !isSource) return [];
    return [{ name, ranges: readRanges(resolve(dirname(file), name)) }];
  });
}

function readRanges(path: string): string[] | undefined {
  try {
    const lines = readFileSync(path, "utf8").split("\n");
    return lines.map((line) => line.replace(/#.*$/, "").trim()).filter((line) => line !== "");
  } catch {
    // Absent, or not for our eyes: the caller says that it was not read.
    return undefined;
  }
}
