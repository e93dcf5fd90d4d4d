import { isMap, isScalar, LineCounter, parseDocument } from "yaml";

/** Where something of a document is, by the names that lead to it; undefined where nobody knows. */
export type LineOf = (path: readonly string[]) => number | undefined;

/** A file as it was written. */
export type PoliciesDocument = {
  content: unknown;
  lineOf: LineOf;
  /** What makes it no YAML, or YAML that says something twice. */
  problems: readonly string[];
};

/** Reads the text of a policies file, and remembers on which line everything is. */
export function readPoliciesDocument(text: string): PoliciesDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const problems = [...document.errors, ...document.warnings].map(
    ({ pos, message }) => `line ${lines.linePos(pos[0]).line}: ${message}`,
  );
  /** The line of the last name on the way that is there: what is missing is missing below it. */
  const lineOf: LineOf = (path) => {
    let node: unknown = document.contents;
    let line: number | undefined;
    for (const name of path) {
      const pair = isMap(node)
        ? node.items.find(({ key }) => isScalar(key) && String(key.value) === name)
        : undefined;
      if (!isScalar(pair?.key) || !pair.key.range) return line;
      line = lines.linePos(pair.key.range[0]).line;
      node = pair.value;
    }
    return line;
  };
  return { content: problems.length === 0 ? document.toJS() : undefined, lineOf, problems };
}
