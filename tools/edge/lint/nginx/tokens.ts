import { findLuaEnd } from "../skip-lua.ts";

/** A piece of an nginx configuration, where it began. */
export type NginxToken =
  | { kind: "word"; text: string; line: number }
  | { kind: "open" | "close" | "end"; line: number };

export type NginxTokens = {
  tokens: readonly NginxToken[];
  /** The line of a quote that is never closed. */
  unclosedQuoteLine?: number;
};

const QUOTES = ['"', "'"];

/**
 * Splits a configuration as nginx does: words end at blanks, ";" and "{", quotes keep them
 * together, a backslash takes away a character's meaning, "#" begins a comment at a word's start.
 */
export function readNginxTokens(text: string): NginxTokens {
  const tokens: NginxToken[] = [];
  let at = 0;
  let line = 1;
  const advance = () => {
    if (text[at] === "\n") line += 1;
    at += 1;
  };
  while (at < text.length) {
    const character = text[at] ?? "";
    if (/\s/.test(character)) {
      advance();
    } else if (character === "#") {
      while (at < text.length && text[at] !== "\n") advance();
    } else if (character === ";" || character === "{" || character === "}") {
      const opensLua = character === "{" && isLua(tokens);
      tokens.push({ kind: PUNCTUATION[character], line });
      advance();
      const end = opensLua ? findLuaEnd(text, at) : at;
      while (at < end) advance();
    } else {
      const start = line;
      const word = QUOTES.includes(character) ? readQuoted(text, at) : readBare(text, at);
      if (word === undefined) return { tokens, unclosedQuoteLine: start };
      while (at < word.end) advance();
      tokens.push({ kind: "word", text: word.text, line: start });
    }
  }
  return { tokens };
}

/** Whether the directive that these end in holds a block of Lua. */
function isLua(tokens: readonly NginxToken[]): boolean {
  const start = tokens.findLastIndex(({ kind }) => kind !== "word") + 1;
  const name = tokens[start];
  return name?.kind === "word" && name.text.endsWith("_by_lua_block");
}

const PUNCTUATION = { ";": "end", "{": "open", "}": "close" } as const;

type Word = { text: string; end: number };

function readQuoted(text: string, start: number): Word | undefined {
  const quote = text[start];
  let value = "";
  for (let at = start + 1; at < text.length; at += 1) {
    const character = text[at] ?? "";
    if (character === quote) return { text: withoutEscapes(value), end: at + 1 };
    value += character;
    // What is escaped closes nothing.
    if (character === "\\") {
      at += 1;
      value += text[at] ?? "";
    }
  }
  return undefined;
}

function readBare(text: string, start: number): Word {
  let at = start;
  while (at < text.length && !/[\s;]/.test(text[at] ?? "")) {
    // A brace ends a word, except the one of a variable: ${name}.
    if (text[at] === "{" && text[at - 1] !== "$") break;
    at += text[at] === "\\" ? 2 : 1;
  }
  return { text: withoutEscapes(text.slice(start, at)), end: Math.min(at, text.length) };
}

/** nginx takes away a backslash before a quote and before another backslash, and leaves others. */
function withoutEscapes(text: string): string {
  return text.replace(/\\(["'\\])/g, "$1");
}
