import { brotliCompressSync, constants, deflateSync, gzipSync } from "node:zlib";

/** A compression, and its name in the header. */
export type Encoding = { name: string; encode(body: Buffer): Buffer };

/** A higher quality gains nothing for small repeated pieces. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };

export const ENCODINGS: readonly [Encoding, ...Encoding[]] = [
  { name: "br", encode: (body) => brotliCompressSync(body, BROTLI) },
  { name: "gzip", encode: (body) => gzipSync(body) },
  { name: "identity", encode: (body) => body },
  { name: "deflate", encode: (body) => deflateSync(body) },
  { name: "gzip, gzip", encode: (body) => gzipSync(gzipSync(body)) },
  { name: "gzip, br", encode: (body) => brotliCompressSync(gzipSync(body), BROTLI) },
  // Several gzip members in a row are one body.
  { name: "gzip", encode: (body) => Buffer.concat([gzipSync(body), gzipSync(body)]) },
];
