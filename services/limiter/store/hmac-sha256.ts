import { createHash, hash } from "node:crypto";

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;

/**
 * HMAC-SHA-256 under one key, as lower-case hexadecimal. Made of two one-shot hashes because a
 * hash object costs ten times as much as what it computes here.
 */
export function createHmacSha256(key: string): (message: Uint8Array) => string {
  const bytes = Buffer.from(key);
  const block = Buffer.alloc(BLOCK_BYTES);
  (bytes.length > BLOCK_BYTES ? createHash("sha256").update(bytes).digest() : bytes).copy(block);
  const innerPad = block.map((byte) => byte ^ 0x36);
  const outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES);
  outer.set(block.map((byte) => byte ^ 0x5c));
  // One at a time and never awaited in between, so one buffer serves every message.
  let inner = Buffer.alloc(BLOCK_BYTES + 512);
  inner.set(innerPad);

  return (message) => {
    const length = BLOCK_BYTES + message.length;
    if (inner.length < length) {
      inner = Buffer.alloc(length * 2);
      inner.set(innerPad);
    }
    inner.set(message, BLOCK_BYTES);
    outer.write(hash("sha256", inner.subarray(0, length), "hex"), BLOCK_BYTES, "hex");
    return hash("sha256", outer, "hex");
  };
}
