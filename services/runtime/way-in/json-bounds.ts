import {
  DEPTH_MAX,
  type MessageBounds,
  TOO_DEEP,
  tooManyElements,
  tooManyEntries,
} from "./message-bounds.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * Checks the structure of a JSON text against the bounds. Returns the problem; undefined if there
 * is none. Builds nothing, so that a text cannot make it allocate millions of values. Does not
 * check that the text is JSON.
 */
export function findJsonProblem(bytes: Uint8Array, bounds: MessageBounds): string | undefined {
  const { elementsMax, listEntriesMax } = bounds;
  /** The entries so far of each open list; -1 for an open object. */
  const open: number[] = [];
  /** Where the last string before each open list or object starts: the name of its field. */
  const names: number[] = [];
  let lastText = -1;
  let elements = 0;
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case QUOTE:
        lastText = at;
        at = endOfText(bytes, at);
        break;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        if (open.length >= DEPTH_MAX) return TOO_DEEP;
        open.push(bytes[at] === OPEN_BRACKET ? 1 : -1);
        names.push(lastText);
        elements++;
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        open.pop();
        names.pop();
        break;
      case COMMA: {
        elements++;
        const last = open.length - 1;
        const entries = open[last] ?? -1;
        if (entries > 0) open[last] = entries + 1;
        if (entries >= listEntriesMax) {
          return tooManyEntries(textAt(bytes, names[last] ?? -1), listEntriesMax);
        }
        break;
      }
    }
    if (elements > elementsMax) return tooManyElements(elementsMax);
  }
  return undefined;
}

const NAME_BYTES_MAX = 64;

/** The string that starts at a position, as far as a name can reach. */
function textAt(bytes: Uint8Array, start: number): string {
  if (start < 0) return "list";
  const end = Math.min(endOfText(bytes, start), start + NAME_BYTES_MAX);
  return Buffer.from(bytes.subarray(start + 1, end)).toString("utf8");
}

/** The position of a string's closing quote; the end of the bytes if there is none. */
function endOfText(bytes: Uint8Array, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    if (bytes[at] === BACKSLASH) at++;
    else if (bytes[at] === QUOTE) return at;
  }
  return bytes.length;
}
