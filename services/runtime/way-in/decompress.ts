import { promisify } from "node:util";
import { brotliDecompress, gunzip, type ZlibOptions } from "node:zlib";

export type Decompressed =
  | { kind: "decompressed"; bytes: Buffer }
  | { kind: "too-large" }
  | { kind: "unreadable" };

type Decompress = (bytes: Buffer, options: ZlibOptions) => Promise<Buffer>;

/** The encodings that a known caller may send, as Connect names them. */
const DECOMPRESS: ReadonlyMap<string, Decompress> = new Map([
  ["gzip", promisify<Buffer, ZlibOptions, Buffer>(gunzip)],
  ["br", promisify<Buffer, ZlibOptions, Buffer>(brotliDecompress)],
]);

export const ENCODINGS: readonly string[] = [...DECOMPRESS.keys()];

export function isKnownEncoding(encoding: string): boolean {
  return DECOMPRESS.has(encoding);
}

/** Decompresses a body. Stops as soon as the output is larger than `bytesMax`. */
export async function decompress(
  bytes: Buffer,
  encoding: string,
  bytesMax: number,
): Promise<Decompressed> {
  const run = DECOMPRESS.get(encoding);
  if (run === undefined) return { kind: "unreadable" };
  try {
    const decompressed = await run(bytes, { maxOutputLength: bytesMax });
    return { kind: "decompressed", bytes: decompressed };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    return { kind: code === "ERR_BUFFER_TOO_LARGE" ? "too-large" : "unreadable" };
  }
}
