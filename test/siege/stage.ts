import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceProcess } from "../fixtures/service-process.ts";
import type { Measured } from "./finding.ts";
import { type HonestClients, startHonestClients } from "./honest/honest-clients.ts";
import type { HonestRecord } from "./honest/honest-record.ts";
import type { LoadCounts } from "./load.ts";
import { createBackendCounter } from "./measure/backends.ts";
import { isAboutInspector, measureLiveBytes } from "./measure/live-bytes.ts";
import { readProcess } from "./measure/process-figures.ts";
import { type Figures, startWatch } from "./measure/watch.ts";
import type { SiegeSystem } from "./siege-system.ts";

/** A system in use, and everything that measures it. */
export type Stage = {
  system: SiegeSystem;
  honest: HonestClients;
  /** The second limiter, if one was started. */
  secondLimiter(): Promise<string>;
  /** Runs an attack and measures the system around it. */
  measure(act: () => Promise<ActResult>): Promise<Measured>;
  stop(): Promise<void>;
};

/** Facts about an attack that no measurement shows. */
export type ActResult = { counts: LoadCounts; problems?: readonly string[] };

/** Services close unused connections, and honest calls settle, within this time. */
const REST_MS = 8_000;
const REST_POLL_MS = 200;
/** After an attack the system serves again within this time. */
const RECOVERY_MS = 15_000;
const RECOVERED_MS = 1_000;
/** This many additional sockets are normal. */
const CALM_SOCKETS = 10;

type Watched = { name: string; process: ServiceProcess };

export async function openStage(
  system: SiegeSystem,
  options: { honestAddress: string },
): Promise<Stage> {
  const backends = await createBackendCounter(system.databaseUrl);
  const watched: Watched[] = Object.entries(system.services).map(([name, process]) => ({
    name,
    process,
  }));
  const watch = startWatch(() => watched, backends);
  const honest = await startHonestClients({
    doors: system.doors,
    databaseUrl: system.databaseUrl,
    localAddress: options.honestAddress,
  });
  let second: string | undefined;
  return {
    system,
    honest,
    async secondLimiter() {
      if (second !== undefined) return second;
      const { url, process } = await system.startSecondLimiter();
      watched.push({ name: "second limiter", process });
      honest.setSecondLimiter(url);
      second = url;
      return url;
    },
    measure: async (act) => {
      const logs = startReading(watched);
      const liveBytesStart = await liveBytes(watched);
      const start = await watch.now();
      watch.takeMost();
      honest.record.take();
      const { counts, problems = [] } = await act();
      await settle(watch.now, start);
      const tally = honest.record.take();
      const most = watch.takeMost();
      const after = await watch.now();
      const { alive, ended } = await bringBack(watched);
      const liveBytesAfter = await liveBytes(alive);
      const found = {
        ...{ honest: tally, start, most, after, liveBytesStart, liveBytesAfter },
        ...{ counts, ended },
        ...logs(),
      };
      const unrecovered = await recover(honest.record);
      if (unrecovered.length > 0) await restartAll(watched);
      return { ...found, problems: [...problems, ...unrecovered] };
    },
    async stop() {
      await honest.stop();
      await watch.stop();
      await backends.close();
    },
  };
}

/** Waits until the services have closed the attackers' connections, up to a bound. */
async function settle(now: () => Promise<Figures>, start: Figures): Promise<void> {
  const deadlineMs = performance.now() + REST_MS;
  while (performance.now() < deadlineMs) {
    const { sockets } = await now();
    const isCalm = Object.entries(sockets).every(
      ([name, count]) => count <= (start.sockets[name] ?? 0) + CALM_SOCKETS,
    );
    if (isCalm) return;
    await sleep(REST_POLL_MS);
  }
}

/** Restarts services that exited or hung; returns which. */
async function bringBack(
  watched: readonly Watched[],
): Promise<{ alive: Watched[]; ended: string[] }> {
  const alive: Watched[] = [];
  const ended: string[] = [];
  for (const one of watched) {
    const { name, process } = one;
    const isThere = (await readProcess(process.pid)) !== undefined;
    if (isThere && (await isResponsive(process))) {
      alive.push(one);
      continue;
    }
    ended.push(isThere ? `${name} was stuck` : `${name} ended`);
    if (isThere) await process.kill("SIGKILL");
    await process.restart();
  }
  return { alive, ended };
}

/** Waits for a period without a refusal; returns the last refusals if there is none. */
async function recover(record: HonestRecord): Promise<string[]> {
  const deadlineMs = performance.now() + RECOVERY_MS;
  for (;;) {
    record.take();
    await sleep(RECOVERED_MS);
    const { refusals, calls } = record.take();
    if (refusals.size === 0 && calls > 0) return [];
    if (performance.now() > deadlineMs) {
      return [...refusals].map(([what, count]) => `after the end: ${count} honest × ${what}`);
    }
  }
}

/** Restarts what did not recover, so that it does not affect the next attack. */
async function restartAll(watched: readonly Watched[]): Promise<void> {
  for (const { process } of watched) await process.restart();
}

async function isResponsive(process: ServiceProcess): Promise<boolean> {
  return await measureLiveBytes(process.output()).then(
    () => true,
    () => false,
  );
}

async function liveBytes(watched: readonly Watched[]): Promise<Record<string, number>> {
  const measured = watched.map(async ({ name, process }) => {
    return [name, await measureLiveBytes(process.output())] as const;
  });
  return Object.fromEntries(await Promise.all(measured));
}

/** Counts and classifies all output from now on. */
function startReading(watched: readonly Watched[]) {
  const from = new Map(watched.map((one) => [one.name, one.process.output().length]));
  return (): { logLines: number; errors: string[] } => {
    const lines = watched.flatMap(({ name, process }) =>
      process
        .output()
        .slice(from.get(name) ?? 0)
        .filter((line) => !isAboutInspector(line))
        .map((line) => ({ name, line })),
    );
    const errors = lines.flatMap(({ name, line }) => {
      const error = errorOf(line);
      return error === undefined ? [] : [`${name} wrote: ${error}`];
    });
    return { logLines: lines.length, errors: [...new Set(errors)] };
  };
}

const ERROR_LENGTH = 200;

/** Returns the problem in a line of output; undefined for an ordinary log line. */
function errorOf(line: string): string | undefined {
  try {
    const log: { level?: string; msg?: string; err?: { message?: string } } = JSON.parse(line);
    if (log.level !== "error" && log.level !== "fatal") return undefined;
    return `${log.msg} (${log.err?.message ?? "no reason"})`.slice(0, ERROR_LENGTH);
  } catch {
    return line.trim() === "" ? undefined : line.slice(0, ERROR_LENGTH);
  }
}
