import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { ReadIncluded } from "./nginx/tree.ts";

/** nginx looks for included files beside its main file. */
export function createIncludeReader(main: string): ReadIncluded {
  return (pattern) => {
    const path = resolve(dirname(main), pattern);
    const { files, unread } = expandPattern(path);
    const read = files.map((file) => ({ file, text: readText(file) }));
    return {
      files: read.flatMap(({ file, text }) => (text === undefined ? [] : [{ file, text }])),
      unread: [...unread, ...read.flatMap(({ file, text }) => (text === undefined ? [file] : []))],
    };
  };
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // Absent, a directory, or not for our eyes: the caller says that it was not read.
    return undefined;
  }
}

type Expanded = { files: readonly string[]; unread: readonly string[] };

/** Expands a pattern as glob(3) does; what matches nothing is nothing, to nginx as well. */
function expandPattern(path: string): Expanded {
  const parts = path.split("/").slice(1);
  const first = parts.findIndex((part) => WILDCARD.test(part));
  if (first === -1) return { files: [path], unread: [] };
  const base = `/${parts.slice(0, first).join("/")}`;
  const names = readNames(base);
  // A directory that is not here may well be there where nginx runs.
  if (names === undefined) return { files: [], unread: [base] };
  const [part = "", ...rest] = parts.slice(first);
  const matcher = createMatcher(part);
  const expanded = names
    .filter((name) => matcher.test(name))
    .toSorted()
    .map((name) => descend(join(base, name), rest));
  return {
    files: expanded.flatMap(({ files }) => files),
    unread: expanded.flatMap(({ unread }) => unread),
  };
}

const WILDCARD = /[*?[]/;

/** The rest of a pattern, below something that a wildcard matched: it need not be there. */
function descend(path: string, rest: readonly string[]): Expanded {
  if (rest.length === 0) return { files: [path], unread: [] };
  const names = readNames(path);
  if (names === undefined) return { files: [], unread: [] };
  const [part = ""] = rest;
  if (!WILDCARD.test(part) && !names.includes(part)) return { files: [], unread: [] };
  return expandPattern(join(path, ...rest));
}

function readNames(directory: string): string[] | undefined {
  try {
    return readdirSync(directory);
  } catch {
    return undefined;
  }
}

/** A wildcard does not stand for the dot of a hidden file. */
function createMatcher(part: string): RegExp {
  const source = part.replace(/\[!?[^\]]+\]|[\s\S]/g, (piece) => {
    if (piece === "*") return "[^/]*";
    if (piece === "?") return "[^/]";
    if (piece.length > 1)
      return `[${piece.slice(1, -1).replace(/^!/, "^").replace(/\\/g, "\\\\")}]`;
    return piece.replace(/[.+^$(){}|[\]\\]/, "\\$&");
  });
  return new RegExp(`^${part.startsWith(".") ? "" : "(?!\\.)"}${source}$`);
}
