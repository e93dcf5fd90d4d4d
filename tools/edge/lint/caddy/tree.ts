/** A directive of a Caddyfile; a block has the directives inside it, what it imports included. */
export type CaddyDirective = {
  words: readonly string[];
  file: string;
  line: number;
  block: readonly CaddyDirective[];
};

export type CaddyProblem = {
  file: string;
  line: number;
  kind: "syntax" | "unread" | "obscure";
  text: string;
};

export type CaddyTree = {
  directives: readonly CaddyDirective[];
  problems: readonly CaddyProblem[];
};

/** Reads what a file imports; `unread` names what is not there or cannot be read. */
export type ReadImported = (
  from: string,
  pattern: string,
) => { files: readonly { file: string; text: string }[]; unread: readonly string[] };

/** Files and snippets that import each other end here; nobody nests them so deep on purpose. */
const DEPTH_MAX = 16;

/** Reads a Caddyfile, with every import replaced by what it imports. */
export function readCaddyTree(file: string, text: string, readImported: ReadImported): CaddyTree {
  const problems: CaddyProblem[] = [];
  const snippets = new Map<string, readonly CaddyDirective[]>();

  const expand = (directives: readonly CaddyDirective[], depth: number): CaddyDirective[] => {
    return directives.flatMap((directive) => {
      const [first = ""] = directive.words;
      const snippet = /^\((.+)\)$/.exec(first)?.[1];
      if (snippet !== undefined) {
        snippets.set(snippet, directive.block);
        return [];
      }
      if (first === "import") return expandImport(directive, depth);
      const isObscure = /^\{(\$|block)/.test(first) && directive.block.length === 0;
      if (isObscure) problems.push(obscure(directive, `${first} can stand for any directive`));
      return [{ ...directive, block: expand(directive.block, depth) }];
    });
  };

  const expandImport = (directive: CaddyDirective, depth: number): CaddyDirective[] => {
    const [, name = "", ...values] = directive.words;
    if (depth >= DEPTH_MAX) {
      problems.push(obscure(directive, "this imports itself"));
      return [];
    }
    const snippet = snippets.get(name);
    if (snippet !== undefined) return expand(fillIn(snippet, values), depth + 1);
    const { files, unread } = readImported(directive.file, name);
    for (const path of unread) {
      const { file: at, line } = directive;
      problems.push({ file: at, line, kind: "unread", text: `${path} could not be read` });
    }
    return files.flatMap((one) => {
      const read = parse(one.file, one.text);
      problems.push(...read.problems);
      return expand(fillIn(read.directives, values), depth + 1);
    });
  };

  const own = parse(file, text);
  problems.push(...own.problems);
  return { directives: expand(own.directives, 0), problems };
}

function obscure({ file, line }: CaddyDirective, text: string): CaddyProblem {
  return { file, line, kind: "obscure", text };
}

/** Puts what an import passes on into its places. */
function fillIn(
  directives: readonly CaddyDirective[],
  values: readonly string[],
): readonly CaddyDirective[] {
  return directives.map((directive) => ({
    ...directive,
    words: directive.words.flatMap((word) => {
      // "{args[1:]}" stands for all from the second on.
      const [, start, end] = /^\{args\[(\d*):(\d*)\]\}$/.exec(word) ?? [];
      if (start !== undefined && end !== undefined) {
        return values.slice(Number(start), end === "" ? undefined : Number(end));
      }
      return word.replace(/\{args(?:\[(\d+)\]|\.(\d+))\}/g, (whole, bracketed, dotted) => {
        return values[Number(bracketed ?? dotted)] ?? whole;
      });
    }),
    block: fillIn(directive.block, values),
  }));
}

function parse(file: string, text: string): CaddyTree {
  const problems: CaddyProblem[] = [];
  const root: CaddyDirective[] = [];
  const open: { block: CaddyDirective[]; line: number }[] = [{ block: root, line: 0 }];
  for (const { raw, line } of joinLines(text)) {
    const words = splitWords(raw);
    const opens = words.at(-1) === "{";
    if (words.length === 0) continue;
    if (words.some((word) => word.startsWith("<<"))) {
      problems.push({ file, line, kind: "obscure", text: "a text over several lines is not read" });
    }
    if (words[0] === "}") {
      if (open.length > 1) open.pop();
      else problems.push({ file, line, kind: "syntax", text: 'this "}" closes nothing' });
      continue;
    }
    const block: CaddyDirective[] = [];
    open.at(-1)?.block.push({ words: opens ? words.slice(0, -1) : words, file, line, block });
    if (opens) open.push({ block, line });
  }
  for (const { line } of open.slice(1)) {
    problems.push({ file, line, kind: "syntax", text: "this block is never closed" });
  }
  return { directives: root, problems };
}

/** A backslash at its end joins a line with the next one. */
function joinLines(text: string): { raw: string; line: number }[] {
  const joined: { raw: string; line: number }[] = [];
  let before = "";
  let start = 1;
  for (const [index, raw] of text.split("\n").entries()) {
    if (before === "") start = index + 1;
    const isContinued = raw.endsWith("\\");
    before += isContinued ? `${raw.slice(0, -1)} ` : raw;
    if (isContinued) continue;
    joined.push({ raw: before, line: start });
    before = "";
  }
  return before === "" ? joined : [...joined, { raw: before, line: start }];
}

/** Words at blanks; double quotes and backquotes keep theirs together; "#" begins a comment. */
function splitWords(raw: string): string[] {
  const words: string[] = [];
  for (const match of raw.matchAll(/"((?:\\.|[^"\\])*)"|`([^`]*)`|(\S+)/g)) {
    const [whole, double, backquoted, bare] = match;
    if (bare?.startsWith("#") === true) break;
    words.push(double ?? backquoted ?? bare ?? whole);
  }
  return words;
}
