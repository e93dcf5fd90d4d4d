import { type Truth, truthOf } from "./truth.ts";

/** What PCRE or RE2 read and JavaScript does not, or reads as something else without a word. */
const FOREIGN = [
  // Escapes of letters that mean a letter to JavaScript, such as \A and \z.
  /\\[ACEGHKNOPQRUVXZaceghklopuxz]/,
  // Inline flags and atomic groups; named groups and looking around are the same everywhere.
  /\(\?(?![:=!]|<[=!A-Za-z_])/,
  // Verbs, possessive quantifiers and named classes.
  /\(\*/,
  /[*+?}]\+/,
  /\[[.=:]/,
  // An empty class is a literal bracket to others.
  /\[\^?\]/,
];

/** Whether a pattern of a proxy's matches somewhere in a text, as far as it can be read here. */
export function matchesPattern(pattern: string, text: string, ignoresCase: boolean): Truth {
  const isInsensitive = pattern.startsWith("(?i)");
  const source = pattern
    .slice(isInsensitive ? "(?i)".length : 0)
    .replaceAll("(?P<", "(?<")
    .replace(/^\\A/, "^")
    .replace(/\\[zZ]$/, "$");
  if (FOREIGN.some((foreign) => foreign.test(source))) return "maybe";
  try {
    return truthOf(new RegExp(source, ignoresCase || isInsensitive ? "i" : "").test(text));
  } catch {
    return "maybe";
  }
}
