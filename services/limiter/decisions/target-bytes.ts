import type { Target } from "./bucket-directory.ts";

// Measured as the growth of the heap for each of 100,000 targets (Node 20, 64 bits), key and state
// included: 570 bytes with one row and a key of 8 characters, 700 when it is a sliding window,
// 1,085 with a key of 512, 1,580 with four rows (a wider network, under two salts). The numbers
// below are those of the largest kind; what is left of the heap takes garbage and growing maps.

/** A target with its place in a map, without its key and its rows. */
const TARGET_BYTES = 100;
/** A row with its id and the largest state that is remembered. */
const ROW_BYTES = 600;

/** How much memory is taken by what is known of a key, at most. */
export function targetBytes(key: string, { buckets }: Target): number {
  // Texts of other than Latin letters take two bytes for each character.
  const isWide = Buffer.byteLength(key) !== key.length;
  return TARGET_BYTES + buckets.length * ROW_BYTES + key.length * (isWide ? 2 : 1);
}
