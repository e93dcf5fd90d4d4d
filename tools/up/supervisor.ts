import { setTimeout as sleep } from "node:timers/promises";
import { type Exit, exitText } from "./child.ts";

/** A process that the supervisor keeps running. */
export type Unit = {
  name: string;
  /** Starts the process and waits until it serves. If the signal aborts, stops it and rejects. */
  start(signal: AbortSignal): Promise<RunningUnit>;
};

export type RunningUnit = {
  exited: Promise<Exit>;
  /** Stops the process, and kills it if that takes too long. */
  stop(): Promise<void>;
  /** Kills the process. */
  kill(): void;
};

/**
 * Keeps units running. A unit starts once the units before it serve, so that it finds what it
 * needs.
 */
export type Supervisor = {
  /** Rejects with the reason of the first unit that failed to start. */
  start(): Promise<void>;
  /** Stops all units in reverse order, including starts in progress. */
  stop(): Promise<void>;
  /** Kills all units. */
  kill(): void;
};

export function createSupervisor(options: {
  units: readonly Unit[];
  /** How long a dead unit stays down before it is restarted; 0 never restarts it. */
  restartDelayMs: number;
  report: (text: string) => void;
  /** Aborts starts in progress, and restarts. */
  signal: AbortSignal;
}): Supervisor {
  const { units, restartDelayMs, report } = options;
  const stopping = new AbortController();
  const signal = AbortSignal.any([options.signal, stopping.signal]);
  const running = new Map<Unit, RunningUnit>();
  /** Starts in progress; each must be awaited, so that no process is left behind. */
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
