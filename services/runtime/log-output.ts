import type { Writable } from "node:stream";

/**
 * What waits for a reader of the log that pauses, a thousand lines or more. Lines above it are lost,
 * and counted: a service goes on whatever becomes of its log.
 */
export const LOG_BYTES_WAITING_MAX = 1_048_576;
/** A reader that is alive has the last lines of a process long before. */
const LAST_LINES_MS = 500;

/** Where a logger writes its lines; never waits for their reader. */
export type LogOutput = {
  write(line: string): void;
  /** Resolves once every line was taken, or cannot be within half a second. */
  settled(): Promise<void>;
};

/**
 * Writes to a stream that others read. A reader that is gone ends the output and nothing else;
 * one that is slow loses lines, and `onLost` says how many once it reads again.
 */
export function createLogOutput(stream: Writable, onLost: (lines: number) => void): LogOutput {
  let lost = 0;
  let isOpen = true;
  stream.on("error", () => {
    isOpen = false;
  });
  const tellLost = () => {
    const lines = lost;
    lost = 0;
    if (lines > 0) onLost(lines);
  };
  return {
    write(line) {
      if (!isOpen) return;
      if (stream.writableLength > LOG_BYTES_WAITING_MAX) {
        if (lost === 0) stream.once("drain", tellLost);
        lost++;
        return;
      }
      stream.write(line);
    },
    async settled() {
      if (!isOpen || stream.writableLength === 0) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LAST_LINES_MS);
        stream.write("", () => {
          clearTimeout(timer);
          resolve();
        });
      });
    },
  };
}
