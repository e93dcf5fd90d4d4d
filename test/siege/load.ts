import { setTimeout as sleep } from "node:timers/promises";
import type { Doors } from "./doors.ts";
import { createRandom, type Random } from "./random.ts";

/** The order of an attacking process. */
export type LoadPlan = {
  /** The attacks to run together. */
  attacks: readonly string[];
  doors: Doors;
  /** The second limiter, for attacks that fill one. */
  secondLimiter: string | undefined;
  /** The source address of the attackers. */
  localAddress: string;
  seconds: number;
  /** For attacks that are bounded by their inputs instead of a duration. */
  inputs: number;
  /** The share of its full size if several attacks share a machine. */
  share: number;
  seed: number;
};

/** The context of an attack. */
export type Load = Omit<LoadPlan, "attacks" | "seconds" | "seed"> & {
  random: Random;
  /** Aborts when the attack must end. */
  signal: AbortSignal;
  /** Counts the result of a request. */
  count(what: string): void;
};

export type LoadCounts = Readonly<Record<string, number>>;

export function createLoad(plan: LoadPlan, signal: AbortSignal): Load & { counts(): LoadCounts } {
  const counts = new Map<string, number>();
  return {
    ...plan,
    random: createRandom(plan.seed),
    signal,
    count: (what) => counts.set(what, (counts.get(what) ?? 0) + 1),
    counts: () => Object.fromEntries([...counts].sort()),
  };
}

const TICK_MS = 10;

/**
 * Repeats work at a steady pace until the attack ends, with a bound on the work in flight. Counts
 * what the bound leaves out.
 */
export async function pace(
  load: Load,
  { perSecond, inFlightMax }: { perSecond: number; inFlightMax: number },
  act: (round: number) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const startedAtMs = performance.now();
  let round = 0;
  while (!load.signal.aborted) {
    const due = ((performance.now() - startedAtMs) * perSecond * load.share) / 1_000;
    for (; round < due; round++) {
      if (running.size >= inFlightMax) {
        load.count("not sent: too many wait for answers");
        continue;
      }
      const one: Promise<void> = act(round).finally(() => running.delete(one));
      running.add(one);
    }
    await rest(load, TICK_MS);
  }
  await Promise.all(running);
}

/** Scales a count to the size of an attack; at least two. */
export function scaled(load: Load, count: number): number {
  return Math.max(2, Math.round(count * load.share));
}

/** Repeats work a number of times, so many at once. */
export async function repeatInputs(
  load: Load,
  atOnce: number,
  act: (round: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const workers = Array.from({ length: atOnce }, async () => {
    while (next < load.inputs) {
      const round = next;
      next += 1;
      await act(round);
    }
  });
  await Promise.all(workers);
}

/** Waits, but at most until the attack ends. */
export async function rest(load: Load, ms: number): Promise<void> {
  await sleep(ms, undefined, { signal: load.signal }).catch(() => undefined);
}
