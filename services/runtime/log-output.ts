import type { Writable } from "node:stream";

/**
 * Bytes that may wait for a slow reader of the log: a thousand lines or more. Further lines are
 * dropped and counted, so that a service never waits for its log.
 */
export const LOG_BYTES_WAITING_MAX = 1_048_576;
/** How long a process waits at its end for the reader to take the last lines. */
const LAST_LINES_MS = 500;

/** Where a logger writes its lines; never waits for their reader. */
export type LogOutput = {
  write(line: string): void;
  /** Resolves once the reader has taken every line, or after half a second. */
  settled(): Promise<void>;
};

/**
 * Writes to a stream that another process reads. If the reader is gone, only the output ends. If it
 * is slow, lines are dropped, and `onLost` gets their number once it reads again.
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
