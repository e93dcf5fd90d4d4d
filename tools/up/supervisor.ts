import { setTimeout as sleep } from "node:timers/promises";
import { type Exit, exitText } from "./child.ts";

/** Something that is kept running. */
export type Unit = {
  name: string;
  /** Starts it and waits until it serves; when the signal aborts, ends it again and rejects. */
  start(signal: AbortSignal): Promise<RunningUnit>;
};

export type RunningUnit = {
  exited: Promise<Exit>;
  /** Ends it, by force when it takes too long. */
  stop(): Promise<void>;
  /** Ends it by force now. */
  kill(): void;
};

/** Keeps units running. Each starts when those before it serve, so that it finds what it needs. */
export type Supervisor = {
  /** Rejects with the reason of the first unit that cannot start. */
  start(): Promise<void>;
  /** Ends all units, those that others need last; also while they are still starting. */
  stop(): Promise<void>;
  /** Ends all units by force. */
  kill(): void;
};

export function createSupervisor(options: {
  units: readonly Unit[];
  /** How long a unit that died stays down; 0 for good. */
  restartDelayMs: number;
  report: (text: string) => void;
  /** Ends starts that are under way, and restarts. */
  signal: AbortSignal;
}): Supervisor {
  const { units, restartDelayMs, report } = options;
  const stopping = new AbortController();
  const signal = AbortSignal.any([options.signal, stopping.signal]);
  const running = new Map<Unit, RunningUnit>();
  /** Every start that has not come to its end; nothing may be left behind by one. */
  const starts = new Set<Promise<void>>();

  const startUnit = async (unit: Unit) => {
    signal.throwIfAborted();
    const start = unit.start(signal).then((unitNow) => {
      running.set(unit, unitNow);
      void watch(unit, unitNow);
    });
    const settled = start.catch(() => undefined);
    starts.add(settled);
    try {
      await start;
    } finally {
      starts.delete(settled);
    }
  };

  const watch = async (unit: Unit, unitNow: RunningUnit) => {
    const exit = await unitNow.exited;
    running.delete(unit);
    if (signal.aborted) return;
    if (restartDelayMs === 0) {
      report(`${unit.name} ${exitText(exit)} and stays down`);
      return;
    }
    report(`${unit.name} ${exitText(exit)}; starting it again in ${restartDelayMs} ms`);
    await restart(unit);
  };

  const restart = async (unit: Unit) => {
    for (;;) {
      await sleep(restartDelayMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await startUnit(unit);
        report(`${unit.name} runs again`);
        return;
      } catch (error) {
        if (signal.aborted) return;
        report(`${unit.name} did not start: ${messageOf(error)}`);
      }
    }
  };

  return {
    async start() {
      for (const unit of units) await startUnit(unit);
    },
    async stop() {
      stopping.abort();
      await Promise.all(starts);
      for (const unit of units.toReversed()) await running.get(unit)?.stop();
    },
    kill() {
      for (const unit of running.values()) unit.kill();
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
