import { type NginxToken, readNginxTokens } from "./tokens.ts";

/** A directive, with where it stands; a block has the directives inside it. */
export type NginxDirective = {
  name: string;
  args: readonly string[];
  file: string;
  line: number;
  block: readonly NginxDirective[] | undefined;
};

export type NginxTree = {
  directives: readonly NginxDirective[];
  problems: readonly { file: string; line: number; text: string }[];
  /** Includes of which something could not be read, with the reason. */
  unread: readonly { file: string; line: number; text: string }[];
  /** Includes that match no file, which nginx takes as well. */
  empty: readonly { line: number; pattern: string }[];
};

/** Answers the files that an include stands for, and what of it cannot be read. */
export type ReadIncluded = (pattern: string) => {
  files: readonly { file: string; text: string }[];
  unread: readonly string[];
};

/** nginx itself has no bound; a configuration that includes itself never ends. */
const INCLUDE_DEPTH_MAX = 10;

const TOO_DEEP = { files: [], unread: [`it includes itself, ${INCLUDE_DEPTH_MAX} levels deep`] };

/** Reads a configuration and everything it includes into one tree. */
export function readNginxTree(file: string, text: string, readIncluded: ReadIncluded): NginxTree {
  const problems: { file: string; line: number; text: string }[] = [];
  const unread: { file: string; line: number; text: string }[] = [];
  const empty: { line: number; pattern: string }[] = [];

  const readFile = (name: string, content: string, depth: number): NginxDirective[] => {
    const { tokens, unclosedQuoteLine } = readNginxTokens(content);
    const report = (line: number, problem: string) => {
      problems.push({ file: name, line, text: problem });
    };
    if (unclosedQuoteLine !== undefined) report(unclosedQuoteLine, "this quote is never closed");
    const parser = { tokens, at: 0, file: name, report };
    const directives = readBlock(parser, undefined);
    return include(directives, depth);
  };

  const include = (directives: readonly NginxDirective[], depth: number): NginxDirective[] => {
    return directives.flatMap((directive) => {
      if (directive.name !== "include") {
        const block = directive.block && include(directive.block, depth);
        return [{ ...directive, block }];
      }
      const pattern = directive.args[0] ?? "";
      const { files, unread: missing } =
        depth < INCLUDE_DEPTH_MAX ? readIncluded(pattern) : TOO_DEEP;
      unread.push(...missing.map((text) => ({ file: directive.file, line: directive.line, text })));
      if (files.length + missing.length === 0) empty.push({ line: directive.line, pattern });
      return files.flatMap((included) => readFile(included.file, included.text, depth + 1));
    });
  };

  return { directives: readFile(file, text, 0), problems, unread, empty };
}

type Parser = {
  tokens: readonly NginxToken[];
  at: number;
  file: string;
  report: (line: number, problem: string) => void;
};

/** Reads directives up to the brace that closes the block, or to the end of the file. */
function readBlock(parser: Parser, openedLine: number | undefined): NginxDirective[] {
  const directives: NginxDirective[] = [];
  for (;;) {
    const token = parser.tokens[parser.at];
    if (token === undefined) {
      if (openedLine !== undefined) parser.report(openedLine, "this block is never closed");
      return directives;
    }
    parser.at += 1;
    if (token.kind === "close") {
      if (openedLine !== undefined) return directives;
      parser.report(token.line, 'this "}" closes nothing');
    } else if (token.kind === "word") {
      const directive = readDirective(parser, token.text, token.line);
      if (directive !== undefined) directives.push(directive);
    } else if (token.kind === "open") {
      parser.report(token.line, 'this "{" opens a block without a name');
      directives.push(...readBlock(parser, token.line));
    }
  }
}

function readDirective(parser: Parser, name: string, line: number): NginxDirective | undefined {
  const args: string[] = [];
  for (;;) {
    const token = parser.tokens[parser.at];
    if (token === undefined || token.kind === "close") {
      parser.report(line, `"${name}" is not ended by ";"`);
      return { name, args, file: parser.file, line, block: undefined };
    }
    parser.at += 1;
    if (token.kind === "word") {
      args.push(token.text);
    } else if (token.kind === "end") {
      reportSwallowed(parser, name, args, line, token.line);
      return { name, args, file: parser.file, line, block: undefined };
    } else {
      return { name, args, file: parser.file, line, block: readBlock(parser, line) };
    }
  }
}

/** A missing ";" makes the next directive an argument of this one, on a later line. */
function reportSwallowed(
  parser: Parser,
  name: string,
  args: readonly string[],
  line: number,
  endLine: number,
): void {
  const swallowed = args.some((arg) =>
    /^(proxy_|location$|listen$|server_name$|return$)/.test(arg),
  );
  if (endLine > line && swallowed) parser.report(line, `"${name}" is not ended by ";"`);
}
