import { setTimeout as sleep } from "node:timers/promises";
import {
  type Contestant,
  createDecider,
  exhaustedKeys,
  type Places,
} from "./limiter-contestants.ts";
import { createDraw, type Draw, WORKLOADS, type WorkloadName } from "./limiter-workloads.ts";

/** The order of one benchmark process. */
export type LoadOrder = {
  contestant: Contestant;
  workload: WorkloadName;
  places: Places;
  /**
   * Requests in flight at a time; undefined sends one request per millisecond, whatever happens.
   */
  inFlight: number | undefined;
  warmUpMs: number;
  measureMs: number;
  /** The earliest start of the measurement, so that several processes measure the same time. */
  startAtMs: number;
};

export type LoadReport = { perSecond: number; rejectedShare: number; p50Ms: number; p99Ms: number };

/** Runs a contestant with a workload in this process, and reports its decisions. */
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

/** Sends the next request after every answer. Latencies would only describe the queue. */
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
      // A contestant that never waits blocks the timer: check the clock now and then.
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

/** Sends one request per millisecond, late ones at once; latency counts from the due time. */
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
