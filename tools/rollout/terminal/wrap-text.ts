const ESCAPE = "\u001b";
/** Escape sequences for colour and cursor movement, and carriage returns: they take no columns. */
const INVISIBLE = new RegExp(`${ESCAPE}\\[[0-9;]*[HJKm]|\\r`, "g");
/** A column of text narrower than this is harder to read than text that begins further left. */
const ROOM_MIN = 30;
const STEP = 2;

/** The number of terminal columns that a text takes. */
export function widthOf(text: string): number {
  return Array.from(text.replace(INVISIBLE, "")).length;
}

/**
 * Breaks lines longer than `columns` between words. Continuation lines start under the last table
 * column if there is room, so that tables stay readable. A longer word stays whole: it is a path or
 * an address that somebody will copy.
 */
export function wrapText(text: string, columns: number): string {
  return text
    .split("\n")
    .map((line) => (widthOf(line) <= columns ? line : wrapLine(line, columns)))
    .join("\n");
}

function wrapLine(line: string, columns: number): string {
  const margin = " ".repeat(marginOf(line.replace(INVISIBLE, ""), columns));
  const leading = /^ */.exec(line)?.[0] ?? "";
  const lines: string[] = [];
  let current = leading;
  for (const [, gap = "", word = ""] of line.slice(leading.length).matchAll(/( *)([^ ]+)/g)) {
    const isFirst = current === leading && lines.length === 0;
    const longer = `${current}${isFirst ? "" : gap}${word}`;
    if (widthOf(longer) <= columns || current.trim() === "") current = longer;
    else {
      lines.push(current);
      current = `${margin}${word}`;
    }
  }
  return [...lines, current].join("\n");
}

/** The start of the rightmost table column that leaves at least ROOM_MIN. */
function marginOf(plain: string, columns: number): number {
  const leading = /^ */.exec(plain)?.[0].length ?? 0;
  const begins = [...plain.matchAll(/[^ ] {2,}(?=[^ ])/g)].map((gap) => gap.index + gap[0].length);
  const label = /^ *(?:why|mend|also): +/.exec(plain)?.[0].length;
  const fitting = [...begins, label ?? 0].filter((begin) => columns - begin >= ROOM_MIN);
  const margin = Math.max(0, ...fitting);
  return margin > leading ? margin : Math.min(leading + STEP, Math.max(0, columns - STEP));
}
