/** One line of a HAProxy configuration, split as HAProxy splits it. */
export type HaproxyLine = { words: readonly string[]; file: string; line: number };

/**
 * A section with its lines; `defaults` holds those of the defaults in effect for it, which may
 * have others above them: the outermost come first.
 */
export type HaproxySection = {
  kind: string;
  name: string;
  line: number;
  file: string;
  lines: readonly HaproxyLine[];
  defaults: readonly HaproxyLine[];
};

export type HaproxyReading = {
  sections: readonly HaproxySection[];
  problems: readonly { file: string; line: number; text: string }[];
};

const SECTION_KINDS = [
  "global",
  "defaults",
  "frontend",
  "backend",
  "listen",
  "userlist",
  "peers",
  "mailers",
  "resolvers",
  "cache",
  "program",
  "ring",
  "log-forward",
  "http-errors",
  "fcgi-app",
];

/** Reads a configuration into sections. */
export function readHaproxySections(file: string, text: string): HaproxyReading {
  const problems: { file: string; line: number; text: string }[] = [];
  const sections: (HaproxySection & { lines: HaproxyLine[] })[] = [];
  const named = new Map<string, HaproxySection>();
  let latest: HaproxySection | undefined;
  for (const [index, raw] of text.split("\n").entries()) {
    const line = index + 1;
    const words = splitWords(raw);
    if (words === undefined) {
      problems.push({ file, line, text: "this quote is never closed" });
      continue;
    }
    const [kind = "", name = ""] = words;
    if (kind === "") continue;
    if (SECTION_KINDS.includes(kind)) {
      const from = words.indexOf("from", 1);
      const parent = from < 0 ? undefined : named.get(words[from + 1] ?? "");
      if (from > 0 && parent === undefined) {
        const text = `no defaults before this are named "${words[from + 1] ?? ""}"`;
        problems.push({ file, line, text });
      }
      // A section takes the latest defaults; defaults themselves begin anew unless they say "from".
      const above = parent ?? (kind === "defaults" ? undefined : latest);
      const defaults = above === undefined ? [] : [...above.defaults, ...above.lines];
      const section = { kind, name, line, file, lines: [], defaults };
      sections.push(section);
      if (kind !== "defaults") continue;
      latest = section;
      if (from !== 1 && name !== "") named.set(name, section);
    } else {
      const section = sections.at(-1);
      if (section === undefined)
        problems.push({ file, line, text: `"${kind}" stands in no section` });
      section?.lines.push({ words, file, line });
    }
  }
  return { sections, problems };
}

/** A quoted part, an escaped character, or a character that means itself. */
const PIECE = /"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)|([^\s"'#\\])|(\\)$/y;

/** Splits at blanks; quotes and backslashes keep what they hold; "#" begins a comment. */
function splitWords(raw: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let at = 0;
  while (at < raw.length) {
    const character = raw[at] ?? "";
    if (character === "#") break;
    if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      at += 1;
      continue;
    }
    PIECE.lastIndex = at;
    const piece = PIECE.exec(raw);
    if (piece === null) return undefined;
    const [whole, double, single, escaped, plain, last] = piece;
    word = `${word ?? ""}${double?.replace(/\\(.)/g, "$1") ?? single ?? readEscaped(escaped) ?? plain ?? last ?? ""}`;
    at += whole.length;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** A backslash takes away the meaning of blanks, quotes and itself; others keep it. */
function readEscaped(character: string | undefined): string | undefined {
  if (character === undefined) return undefined;
  return /[\s#"'\\]/.test(character) ? character : `\\${character}`;
}
