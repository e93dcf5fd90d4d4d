import type { VerbContext } from "../terms/verb.ts";
import { widthOf } from "./wrap-text.ts";

/** Shows progress: on a terminal as one line that it overwrites, elsewhere as separate lines. */
export type LiveLine = {
  /** With `endsAtMs`, the line counts the seconds down by itself. */
  show(text: string, endsAtMs?: number): void;
  /** Call this before writing anything else. */
  clear(): void;
};

const CLEAR_LINE = "\r\u001b[2K";
const REDRAW_MS = 1_000;
/** How often a log repeats the line, so that its reader sees that the process is alive. */
const REPEAT_MS = 30_000;

/** Writes to standard error, so that standard output holds only the answer. */
export function createLiveLine(
  { isTerminal, columns, stderr }: Pick<VerbContext, "isTerminal" | "columns" | "stderr">,
  nowMs: () => number,
): LiveLine {
  let timer: NodeJS.Timeout | undefined;
  const stopCounting = () => {
    clearInterval(timer);
    timer = undefined;
  };
  const draw = (text: string) => {
    stderr(isTerminal ? `${CLEAR_LINE}${cut(`${text} …`, columns)}` : `${text}\n`);
  };
  return {
    show(text, endsAtMs) {
      stopCounting();
      const say = () => draw(endsAtMs === undefined ? text : `${text}, ${left(endsAtMs, nowMs())}`);
      say();
      if (endsAtMs === undefined) return;
      timer = setInterval(say, isTerminal ? REDRAW_MS : REPEAT_MS);
      // The timer must not keep the process alive.
      timer.unref();
    },
    clear() {
      stopCounting();
      if (isTerminal) stderr(CLEAR_LINE);
    },
  };
}

function left(endsAtMs: number, nowMs: number): string {
  return `${Math.max(0, Math.ceil((endsAtMs - nowMs) / 1_000))} s left`;
}

/** A line that wraps cannot be overwritten. */
function cut(text: string, columns: number | undefined): string {
  if (columns === undefined || widthOf(text) < columns) return text;
  return `${Array.from(text)
    .slice(0, Math.max(1, columns - 2))
    .join("")}…`;
}
