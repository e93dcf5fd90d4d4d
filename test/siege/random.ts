/** A stream of numbers determined by a seed, so that a run can be repeated. */
export type Random = {
  /** A number from 0 up to, but excluding, 1. */
  share(): number;
  /** An integer from 0 up to, but excluding, the bound. */
  below(bound: number): number;
  pick<T>(from: readonly [T, ...T[]]): T;
  bytes(count: number): Buffer;
};

/** Mulberry32: small, fast, and good enough to choose attacks. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const share = () => next() / 2 ** 32;
  const below = (bound: number) => Math.floor(share() * bound);
  return {
    share,
    below,
    pick: (from) => from[below(from.length)] ?? from[0],
    bytes(count) {
      const bytes = Buffer.allocUnsafe(count);
      for (let at = 0; at < count; at++) bytes[at] = next() & 0xff;
      return bytes;
    },
  };
}

/** Returns an IPv4 address that no honest client uses. */
export function strangerAddress(random: Random): string {
  return `100.${64 + random.below(64)}.${random.below(256)}.${1 + random.below(254)}`;
}
