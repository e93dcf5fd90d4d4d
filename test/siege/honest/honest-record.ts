/** One call of an honest client. */
export type HonestCall = {
  kind: string;
  tookMs: number;
  /** Why it failed; undefined if it succeeded. */
  refusal?: string | undefined;
};

/** The calls of honest clients in a period, and their results. */
export type HonestTally = {
  calls: number;
  /** The number of refusals, by call and reason. */
  refusals: ReadonlyMap<string, number>;
  p50Ms: number;
  p99Ms: number;
  /** The 99th percentile of each kind. */
  p99MsByKind: Readonly<Record<string, number>>;
};

/** The duration of these calls depends on polling intervals, not on the load of a service. */
const PACED_BY_A_POLL = new Set(["revocation"]);

export class HonestRecord {
  #calls: HonestCall[] = [];

  add(call: HonestCall): void {
    this.#calls.push(call);
  }

  /** Returns the calls since the last time, and empties the record. */
  take(): HonestTally {
    const calls = this.#calls;
    this.#calls = [];
    const refusals = new Map<string, number>();
    for (const { kind, refusal } of calls) {
      if (refusal === undefined) continue;
      const what = `${kind}: ${refusal}`;
      refusals.set(what, (refusals.get(what) ?? 0) + 1);
    }
    const kinds = [...new Set(calls.map(({ kind }) => kind))].sort();
    const timesOf = (kind: string) => sortedTimes(calls.filter((call) => call.kind === kind));
    const times = sortedTimes(calls.filter(({ kind }) => !PACED_BY_A_POLL.has(kind)));
    return {
      calls: calls.length,
      refusals,
      p50Ms: percentile(times, 0.5),
      p99Ms: percentile(times, 0.99),
      p99MsByKind: Object.fromEntries(kinds.map((kind) => [kind, percentile(timesOf(kind), 0.99)])),
    };
  }
}

function sortedTimes(calls: readonly HonestCall[]): number[] {
  return calls.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
}

/** By nearest rank; 0 if there are no calls. */
function percentile(sorted: readonly number[], share: number): number {
  const rank = Math.ceil(sorted.length * share) - 1;
  return Math.round(sorted[Math.max(0, rank)] ?? 0);
}
