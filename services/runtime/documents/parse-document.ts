import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument as parseYaml,
} from "yaml";
import type { LineOf, Path, Problem } from "./problem.ts";

/** What a text of YAML or JSON holds, and on which lines. */
export type ParsedDocument = {
  /** The plain value; undefined where there are problems. An empty text is null. */
  content: unknown;
  lineOf: LineOf;
  problems: readonly Problem[];
};

/** Schemas skip a field of this name, so that it would be ignored without a word. */
const PROTOTYPE = "__proto__";

/** Parses one document. Unknown tags and fields that are given twice are problems too. */
export function parseDocument(text: string): ParsedDocument {
  const counter = new LineCounter();
  // The library names no field that is there twice, so `readNodes` looks for them.
  const document = parseYaml(text, {
    lineCounter: counter,
    prettyErrors: false,
    uniqueKeys: false,
  });
  const syntax = [...document.errors, ...document.warnings].map(({ pos, message }): Problem => {
    return { path: [], line: counter.linePos(pos[0]).line, message };
  });
  const { lines, problems } = readNodes(document, counter);
  const found = [...syntax, ...problems];
  if (found.length > 0) return { content: undefined, lineOf: lineIn(lines), problems: found };
  return { ...readContent(document), lineOf: lineIn(lines) };
}

/** The lines of fields and items, by their paths. */
type Lines = ReadonlyMap<string, number>;

function lineIn(lines: Lines): LineOf {
  return (path) => {
    for (let length = path.length; length > 0; length -= 1) {
      const line = lines.get(keyOf(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return undefined;
  };
}

function keyOf(path: Path): string {
  return JSON.stringify(path.map(String));
}

/** Walks through maps and lists; what an alias stands for is walked through where it is written. */
function readNodes(document: Document, counter: LineCounter) {
  const lines = new Map<string, number>();
  const problems: Problem[] = [];
  const noteLine = (path: Path, node: unknown) => {
    if (!isNode(node) || !node.range) return;
    lines.set(keyOf(path), counter.linePos(node.range[0]).line);
  };
  const walk = (node: unknown, path: Path) => {
    if (isSeq(node)) {
      for (const [index, item] of node.items.entries()) {
        noteLine([...path, index], item);
        walk(item, [...path, index]);
      }
    }
    if (isAlias(node) && node.resolve(document) === undefined) {
      const message = `*${node.source} is an alias of nothing before it`;
      problems.push({ path: [], line: lineIn(lines)(path), message });
    }
    if (!isMap(node)) return;
    const names = new Set<string>();
    for (const { key, value } of node.items) {
      if (!isScalar(key)) continue;
      const name = String(key.value);
      const field = [...path, name];
      noteLine(field, key);
      const line = lines.get(keyOf(field));
      if (names.has(name)) problems.push({ path: field, line, message: "is there twice" });
      if (name === PROTOTYPE) problems.push({ path: field, line, message: "is no name" });
      names.add(name);
      walk(value, field);
    }
  };
  walk(document.contents, []);
  return { lines, problems };
}

/** The library refuses aliases that multiply into more than a machine could hold. */
function readContent(document: Document): { content: unknown; problems: readonly Problem[] } {
  try {
    return { content: document.toJS(), problems: [] };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { content: undefined, problems: [{ path: [], line: undefined, message }] };
  }
}
