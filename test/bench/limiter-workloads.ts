/** Describes the requests of a workload. */
export type Workload = {
  name: string;
  /** The number of keys, and the distribution of requests over them. */
  keys: number;
  spread: "uniform" | "zipf";
  /** The share of requests for a hundred further keys that are exhausted. */
  rejectedShare: number;
  /** The number of buckets that one request consumes. */
  group: number;
};

const plain = { spread: "uniform", rejectedShare: 0, group: 1 } as const;

export const WORKLOADS = {
  uniform10k: { ...plain, name: "10k keys, uniform", keys: 10_000 },
  uniform1m: { ...plain, name: "1M keys, uniform, warm", keys: 1_000_000 },
  hot: { ...plain, name: "one hot key", keys: 1 },
  zipf: { ...plain, name: "100k keys, Zipf", keys: 100_000, spread: "zipf" },
  rejected: { ...plain, name: "90 % rejected", keys: 10_000, rejectedShare: 0.9 },
  onlyRejected: { ...plain, name: "all rejected", keys: 1, rejectedShare: 1 },
  groups: { ...plain, name: "groups of 3", keys: 10_000, group: 3 },
} as const satisfies Record<string, Workload>;

export type WorkloadName = keyof typeof WORKLOADS;

/** The keys exhausted before the measurement. */
export const EXHAUSTED_KEYS = 100;

/** One request: numbers of keys; a negative number is an exhausted key. */
export type Draw = () => number;

/** Long enough not to repeat within a flush, and short enough to create at once. */
const DRAWS = 1 << 20;

/**
 * Draws keys in the workload's distribution; drawing costs almost nothing during the measurement.
 */
export function createDraw({ keys, spread, rejectedShare }: Workload): Draw {
  const pick = spread === "zipf" ? createZipf(keys) : () => Math.floor(Math.random() * keys);
  const draws = Int32Array.from({ length: DRAWS }, () =>
    Math.random() < rejectedShare ? -1 - Math.floor(Math.random() * EXHAUSTED_KEYS) : pick(),
  );
  let next = 0;
  return () => {
    next = (next + 1) & (DRAWS - 1);
    return draws[next] ?? 0;
  };
}

function createZipf(keys: number): () => number {
  const cumulated = new Float64Array(keys);
  let total = 0;
  for (let index = 0; index < keys; index++) {
    total += 1 / (index + 1);
    cumulated[index] = total;
  }
  return () => {
    const target = Math.random() * total;
    let low = 0;
    let high = keys - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulated[middle] ?? 0) < target) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
