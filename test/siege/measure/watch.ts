import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceProcess } from "../../fixtures/service-process.ts";
import type { BackendCounter } from "./backends.ts";
import { readProcess } from "./process-figures.ts";

/** The maximum of each figure, or its present value. */
export type Figures = {
  rssBytes: Record<string, number>;
  sockets: Record<string, number>;
  /** Backends of Postgres, by application name. */
  backends: Record<string, number>;
};

/** Samples processes repeatedly. */
export type Watch = {
  now(): Promise<Figures>;
  /** Returns the maximum since the last call. */
  takeMost(): Figures;
  stop(): Promise<void>;
};

const SAMPLE_MS = 100;

export function startWatch(
  processes: () => readonly { name: string; process: ServiceProcess }[],
  backends: BackendCounter,
): Watch {
  let most = emptyFigures();
  const look = async (): Promise<Figures> => {
    const figures = emptyFigures();
    for (const { name, process } of processes()) {
      const read = await readProcess(process.pid);
      if (read === undefined) continue;
      figures.rssBytes[name] = read.rssBytes;
      figures.sockets[name] = read.sockets;
    }
    for (const [name, count] of (await backends.count()) ?? []) figures.backends[name] = count;
    return figures;
  };
  const stopping = new AbortController();
  const { signal } = stopping;
  const loop = (async () => {
    while (!signal.aborted) {
      most = mostOf(most, await look());
      await sleep(SAMPLE_MS, undefined, { signal }).catch(() => undefined);
    }
  })();
  return {
    now: look,
    takeMost() {
      const taken = most;
      most = emptyFigures();
      return taken;
    },
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}

function emptyFigures(): Figures {
  return { rssBytes: {}, sockets: {}, backends: {} };
}

function mostOf(a: Figures, b: Figures): Figures {
  return {
    rssBytes: most(a.rssBytes, b.rssBytes),
    sockets: most(a.sockets, b.sockets),
    backends: most(a.backends, b.backends),
  };
}

function most(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): Record<string, number> {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...names].map((name) => [name, Math.max(a[name] ?? 0, b[name] ?? 0)]));
}
