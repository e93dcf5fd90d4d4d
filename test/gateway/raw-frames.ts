/** A frame of a client as a test wants it, right or wrong. */
export function clientFrame(
  opcode: number,
  payload: string,
  options: { isLast?: boolean; reservedBits?: number; isMasked?: boolean } = {},
): string {
  const { isLast = true, reservedBits = 0, isMasked = true } = options;
  const bytes = Buffer.from(payload, "latin1");
  const head = Buffer.alloc(10);
  head[0] = (isLast ? 0x80 : 0) | reservedBits | opcode;
  head[1] = (isMasked ? 0x80 : 0) | 127;
  head.writeBigUInt64BE(BigInt(bytes.length), 2);
  const short = Buffer.from([head[0], (isMasked ? 0x80 : 0) | bytes.length]);
  // A mask of zeros leaves the payload as it is.
  const mask = isMasked ? Buffer.alloc(4) : Buffer.alloc(0);
  const middle = Buffer.from([
    head[0],
    (isMasked ? 0x80 : 0) | 126,
    bytes.length >> 8,
    bytes.length,
  ]);
  const sized = bytes.length < 126 ? short : bytes.length < 65_536 ? middle : head;
  return Buffer.concat([sized, mask, bytes]).toString("latin1");
}

/** The code of the close frame in what a gateway has sent after its 101; undefined without one. */
export function findCloseCode(text: string): number | undefined {
  const bytes = Buffer.from(text.slice(text.indexOf("\r\n\r\n") + 4), "latin1");
  for (let at = 0; at + 1 < bytes.length; ) {
    const length = bytes.readUInt8(at + 1);
    const start = at + (length === 126 ? 4 : 2);
    const end = start + (length === 126 ? bytes.readUInt16BE(at + 2) : length);
    const isClose = bytes.readUInt8(at) === 0x88;
    if (isClose) return length >= 2 ? bytes.readUInt16BE(start) : 1005;
    at = end;
  }
  return undefined;
}
