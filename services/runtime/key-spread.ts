import { randomBytes } from "node:crypto";

/** How long a request counts. The window moves on by slices, each a tenth of it. */
const WINDOW_MS = 60_000;
const SLICE_MS = 6_000;
/** Keys that each slice counts. A key's share is overstated by at most 1 / COUNTED_MAX. */
const COUNTED_MAX = 64;
/** Registers of the estimate of distinct keys; its standard error is 1.04 / √REGISTERS, 3.3 %. */
const REGISTERS = 1_024;
const REGISTER_BITS = 10;

type Slice = {
  number: number;
  total: number;
  counts: Map<string, number>;
  /** For each register, the longest run of leading zeros seen, plus one (HyperLogLog). */
  ranks: Uint8Array;
};

/**
 * How the requests of the last minute spread over keys: the share of the most frequent key, and
 * roughly how many distinct keys there were. The first rises when clients collapse into a proxy's
 * address, the second when they forge addresses. Memory is bounded.
 */
export class KeySpread {
  #slices: Slice[] = [];
  /** Secret, so that no client can choose keys whose hashes collide. */
  readonly #seed = randomBytes(4).readUInt32LE();

  record(key: string, nowMs: number): void {
    const slice = this.#sliceAt(nowMs);
    slice.total++;
    countKey(slice.counts, key);
    const hash = hashOf(key, this.#seed);
    const register = hash >>> (32 - REGISTER_BITS);
    const rank = Math.clz32((hash << REGISTER_BITS) | (1 << (REGISTER_BITS - 1))) + 1;
    if (rank > (slice.ranks[register] ?? 0)) slice.ranks[register] = rank;
  }

  /** The share of the most frequent key, 0 to 1; 0 without requests. */
  topShare(nowMs: number): number {
    this.#dropOld(nowMs);
    const sums = new Map<string, number>();
    let total = 0;
    for (const slice of this.#slices) {
      total += slice.total;
      for (const [key, count] of slice.counts) sums.set(key, (sums.get(key) ?? 0) + count);
    }
    return total === 0 ? 0 : Math.min(1, Math.max(...sums.values()) / total);
  }

  /** The estimated number of distinct keys. */
  distinct(nowMs: number): number {
    this.#dropOld(nowMs);
    const ranks = new Uint8Array(REGISTERS);
    for (const slice of this.#slices) {
      for (const [index, rank] of slice.ranks.entries()) {
        if (rank > (ranks[index] ?? 0)) ranks[index] = rank;
      }
    }
    return Math.round(estimate(ranks));
  }

  #sliceAt(nowMs: number): Slice {
    const number = Math.floor(nowMs / SLICE_MS);
    const last = this.#slices.at(-1);
    if (last?.number === number) return last;
    // Also drops slices of the future, so that the last slice is the newest.
    this.#dropOld(nowMs);
    const current = this.#slices.at(-1);
    if (current?.number === number) return current;
    const slice = { number, total: 0, counts: new Map(), ranks: new Uint8Array(REGISTERS) };
    this.#slices.push(slice);
    return slice;
  }

  /** Drops old slices, and those of the future that a clock leaves when it steps back. */
  #dropOld(nowMs: number): void {
    const number = Math.floor(nowMs / SLICE_MS);
    const oldest = number - WINDOW_MS / SLICE_MS;
    this.#slices = this.#slices.filter((slice) => slice.number > oldest && slice.number <= number);
  }
}

/** Counts the most frequent keys (space-saving): a new key takes over the smallest count. */
function countKey(counts: Map<string, number>, key: string): void {
  const known = counts.get(key);
  if (known !== undefined || counts.size < COUNTED_MAX) {
    counts.set(key, (known ?? 0) + 1);
    return;
  }
  let smallest: [string, number] = ["", Number.POSITIVE_INFINITY];
  for (const entry of counts) if (entry[1] < smallest[1]) smallest = entry;
  counts.delete(smallest[0]);
  counts.set(key, smallest[1] + 1);
}

/** HyperLogLog's estimate, with linear counting while many registers are empty. */
function estimate(ranks: Uint8Array): number {
  let sum = 0;
  let empty = 0;
  for (const rank of ranks) {
    sum += 2 ** -rank;
    if (rank === 0) empty++;
  }
  const raw = ((0.7213 / (1 + 1.079 / REGISTERS)) * REGISTERS * REGISTERS) / sum;
  const isSparse = raw <= 2.5 * REGISTERS && empty > 0;
  return isSparse ? REGISTERS * Math.log(REGISTERS / empty) : raw;
}

/** FNV-1a over the characters, then the finaliser of MurmurHash3, which spreads every bit. */
function hashOf(key: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let index = 0; index < key.length; index++) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
