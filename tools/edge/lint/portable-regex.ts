import { type Truth, truthOf } from "./truth.ts";

/** A pattern as JavaScript reads it. */
export type PortableRegex = { regex: RegExp; source: string };

/** Named classes have an equal in JavaScript, by the characters that are in them. */
const CLASSES: Readonly<Record<string, string>> = {
  alnum: "A-Za-z0-9",
  alpha: "A-Za-z",
  blank: " \\t",
  cntrl: "\\x00-\\x1f\\x7f",
  digit: "0-9",
  graph: "\\x21-\\x7e",
  lower: "a-z",
  print: "\\x20-\\x7e",
  punct: "!-\\/:-@\\[-`{-~",
  space: "\\s",
  upper: "A-Z",
  word: "\\w",
  xdigit: "A-Fa-f0-9",
};

/** What PCRE or RE2 read and JavaScript does not, or reads as something else without a word. */
const FOREIGN = [
  // Escapes of letters that mean a letter to JavaScript, such as \A and \z.
  /\\[ACEGHKNOPQRUVXZaceghklopuvxz]/,
  // Inline flags and atomic groups; named groups and looking around are the same everywhere.
  /\(\?(?![:=!]|<[=!A-Za-z_])/,
  // Verbs, possessive quantifiers and other named classes.
  /\(\*/,
  /[*+?}]\+/,
  /\[\[?[.=:]/,
  // An empty class is a literal bracket to others.
  /\[\^?\]/,
];

/** Reads a pattern of a proxy's; undefined where nobody can tell here what it matches. */
export function readPortableRegex(
  pattern: string,
  ignoresCase: boolean,
): PortableRegex | undefined {
  const isInsensitive = pattern.startsWith("(?i)");
  const source = pattern
    .slice(isInsensitive ? "(?i)".length : 0)
    .replaceAll("(?P<", "(?<")
    .replace(/\[:(\w+):\]/g, (whole, name) => CLASSES[name] ?? whole)
    .replace(/^\\A/, "^")
    .replace(/\\[zZ]$/, "$");
  if (FOREIGN.some((foreign) => foreign.test(source))) return undefined;
  try {
    return { regex: new RegExp(source, ignoresCase || isInsensitive ? "i" : ""), source };
  } catch {
    return undefined;
  }
}

/** Whether a pattern of a proxy's matches somewhere in a text, as far as it can be read here. */
export function matchesPattern(pattern: string, text: string, ignoresCase: boolean): Truth {
  const read = readPortableRegex(pattern, ignoresCase);
  return read === undefined ? "maybe" : truthOf(read.regex.test(text));
}
