import { Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";

/**
 * Ends a body that is too large. The RPC library has a bound of its own, but answers past it what
 * says that a limit is reached, which here is an answer of the limiter alone.
 */
export async function* boundBody(
  body: AsyncIterable<Uint8Array>,
  bytesMax: number,
): AsyncIterable<Uint8Array> {
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.byteLength;
    if (bytes > bytesMax) throw tooLarge(bytesMax);
    yield piece;
  }
}

/** A compression under which no request becomes too large, however little was sent of it. */
export function boundCompression(compression: Compression, bytesMax: number): Compression {
  return {
    ...compression,
    async decompress(bytes) {
      try {
        return await compression.decompress(bytes, bytesMax);
      } catch (error) {
        const isTooLarge = ConnectError.from(error).code === Code.ResourceExhausted;
        throw isTooLarge ? tooLarge(bytesMax) : error;
      }
    },
  };
}

/** What an oversized request is told. */
export function tooLargeText(bytesMax: number): string {
  return `a request holds at most ${bytesMax} bytes`;
}

function tooLarge(bytesMax: number): ConnectError {
  return new ConnectError(tooLargeText(bytesMax), Code.InvalidArgument);
}
