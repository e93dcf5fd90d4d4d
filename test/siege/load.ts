import { setTimeout as sleep } from "node:timers/promises";
import type { Doors } from "./doors.ts";
import { createRandom, type Random } from "./random.ts";

/** What an attacking process is told. */
export type LoadPlan = {
  /** All of them at the same time. */
  attacks: readonly string[];
  doors: Doors;
  /** Another limiter, for the attacks that fill one. */
  secondLimiter: string | undefined;
  /** Where the attackers connect from. */
  localAddress: string;
  seconds: number;
  /** For attacks that are measured by what they send and not by how long they last. */
  inputs: number;
  /** Of its full size, where several attacks share a machine. */
  share: number;
  seed: number;
};

/** What an attack works with. */
export type Load = Omit<LoadPlan, "attacks" | "seconds" | "seed"> & {
  random: Random;
  /** Aborted when the attack is to end. */
  signal: AbortSignal;
  /** Counts what came of something that was sent. */
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
 * Does something at a steady pace until the attack ends, with a bound on how much is under way.
 * What would go over the bound is left out and counted.
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

/** How many of something there are in an attack of this size; some in any case. */
export function scaled(load: Load, count: number): number {
  return Math.max(2, Math.round(count * load.share));
}

/** Does something a number of times, so many at once. */
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

/** Waits, but not beyond the end of the attack. */
export async function rest(load: Load, ms: number): Promise<void> {
  await sleep(ms, undefined, { signal: load.signal }).catch(() => undefined);
}
