import type { IncomingMessage } from "node:http";
import type { BodyMemory } from "./body-memory.ts";
import type { Deadlines } from "./deadlines.ts";

export type Body =
  | { kind: "read"; bytes: Buffer }
  | { kind: "too-large" }
  | { kind: "timed-out" }
  /** Too many pieces that are too small. */
  | { kind: "in-crumbs" }
  /** Other bodies use up the memory. */
  | { kind: "no-memory" }
  /** The sender disconnected before the end of the body. */
  | { kind: "gone" };

export type ReadBody = Body & {
  /** Releases the memory. Call it when the bytes are no longer needed. */
  release: () => void;
};

/** Most messages fit into this, so that most buffers never grow. */
const FIRST_BYTES = 2_048;
/** Pieces (chunks or reads) that a body may have, whatever their size. */
const PIECES_FREE = 256;
/** The least mean size of further pieces. Smaller ones cost more than their bytes are worth. */
const PIECE_BYTES_MEAN_MIN = 64;

const NOTHING = Buffer.alloc(0);

/**
 * Reads a body into one buffer. The buffer grows with the bytes received, not with Content-Length,
 * and never beyond `bytesMax`. Each piece is copied and freed at once.
 */
export function readBody(
  request: IncomingMessage,
  bounds: { bytesMax: number; deadlines: Deadlines; memory: BodyMemory },
): Promise<ReadBody> {
  const { bytesMax, deadlines, memory } = bounds;
  return new Promise((resolve) => {
    let buffer = NOTHING;
    let length = 0;
    let pieces = 0;
    let isSettled = false;
    const release = () => {
      memory.give(buffer.length);
      buffer = NOTHING;
    };
    const settle = (body: Body) => {
      if (isSettled) return;
      isSettled = true;
      stopWaiting();
      if (body.kind !== "read") release();
      resolve({ ...body, release });
    };
    request.on("data", (piece: Buffer) => {
      // The result is settled: drop the rest of the body.
      if (isSettled) return;
      if (length + piece.length > bytesMax) return settle({ kind: "too-large" });
      pieces++;
      if (pieces > PIECES_FREE + length / PIECE_BYTES_MEAN_MIN) {
        return settle({ kind: "in-crumbs" });
      }
      if (length + piece.length > buffer.length) {
        const wanted = Math.max(FIRST_BYTES, 2 * buffer.length, length + piece.length);
        const grown = Math.min(bytesMax, wanted);
        if (!memory.take(grown - buffer.length)) return settle({ kind: "no-memory" });
        const larger = Buffer.allocUnsafeSlow(grown);
        buffer.copy(larger, 0, 0, length);
        buffer = larger;
      }
      length += piece.copy(buffer, length);
    });
    request.once("end", () => settle({ kind: "read", bytes: buffer.subarray(0, length) }));
    request.once("close", () => settle({ kind: "gone" }));
    const stopWaiting = deadlines.start(() => settle({ kind: "timed-out" }));
  });
}
