import { setTimeout as sleep } from "node:timers/promises";
import {
  type Contestant,
  createDecider,
  exhaustedKeys,
  type Places,
} from "./limiter-contestants.ts";
import { createDraw, type Draw, WORKLOADS, type WorkloadName } from "./limiter-workloads.ts";

/** What one process of the benchmark does. */
export type LoadOrder = {
  contestant: Contestant;
  workload: WorkloadName;
  places: Places;
  /** Requests under way at a time; unset for one request each millisecond, whatever happens. */
  inFlight: number | undefined;
  warmUpMs: number;
  measureMs: number;
  /** When measuring starts at the earliest, so that several processes measure the same moment. */
  startAtMs: number;
};

export type LoadReport = { perSecond: number; rejectedShare: number; p50Ms: number; p99Ms: number };

/** Runs a contestant under a workload in this process, and reports what it decided. */
export async function runLoad(order: LoadOrder): Promise<LoadReport> {
  const workload = WORKLOADS[order.workload];
  const decider = await createDecider(order.contestant, order.places, workload);
  await decider.warmUp?.();
  for (const key of exhaustedKeys(workload)) await decider.decide([key]);
  const draw = createDraw(workload);
  const decide = () => decider.decide(drawGroup(draw, workload.group));
  const load = order.inFlight === undefined ? openLoad : closedLoad;
  await load(decide, order.warmUpMs, order.inFlight ?? 0);
  await sleep(Math.max(0, order.startAtMs - Date.now()));
  const startedAtMs = performance.now();
  const { decided, allowed, latenciesMs } = await load(
    decide,
    order.measureMs,
    order.inFlight ?? 0,
  );
  const tookMs = performance.now() - startedAtMs;
  await decider.close();
  latenciesMs.sort((a, b) => a - b);
  return {
    perSecond: (decided / tookMs) * 1_000,
    rejectedShare: 1 - allowed / decided,
    p50Ms: latenciesMs[Math.floor(latenciesMs.length * 0.5)] ?? 0,
    p99Ms: latenciesMs[Math.floor(latenciesMs.length * 0.99)] ?? 0,
  };
}

function drawGroup(draw: Draw, size: number): number[] {
  const keys = [draw()];
  while (keys.length < size) {
    const key = draw();
    if (!keys.includes(key)) keys.push(key);
  }
  return keys;
}

type Loaded = { decided: number; allowed: number; latenciesMs: number[] };

/** Every answer is followed by the next request. Latencies would only tell of the queue. */
async function closedLoad(
  decide: () => Promise<boolean>,
  forMs: number,
  inFlight: number,
): Promise<Loaded> {
  const loaded: Loaded = { decided: 0, allowed: 0, latenciesMs: [] };
  let isRunning = true;
  const timer = setTimeout(() => {
    isRunning = false;
  }, forMs);
  const endMs = performance.now() + forMs;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      // What never waits for anything never lets the timer run: look at the clock now and then.
      while (isRunning && (loaded.decided % 256 !== 0 || performance.now() < endMs)) {
        const isAllowed = await decide();
        loaded.decided++;
        loaded.allowed += Number(isAllowed);
      }
      isRunning = false;
    }),
  );
  clearTimeout(timer);
  return loaded;
}

/** One request a millisecond, late ones at once; the latency counts from when it was due. */
async function openLoad(decide: () => Promise<boolean>, forMs: number): Promise<Loaded> {
  const loaded: Loaded = { decided: 0, allowed: 0, latenciesMs: [] };
  const pending: Promise<void>[] = [];
  const startMs = performance.now();
  for (let dueMs = 0; dueMs < forMs; dueMs++) {
    if (performance.now() - startMs < dueMs) await sleep(1);
    pending.push(
      decide().then((isAllowed) => {
        loaded.decided++;
        loaded.allowed += Number(isAllowed);
        loaded.latenciesMs.push(performance.now() - startMs - dueMs);
      }),
    );
  }
  await Promise.all(pending);
  return loaded;
}
