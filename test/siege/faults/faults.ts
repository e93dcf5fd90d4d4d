import { readFile } from "node:fs/promises";
import { findPostgresProcesses, signalIfAlive } from "../../../tools/up/postgres-processes.ts";
import { runSql } from "../../fixtures/postgres.ts";
import type { Bounds } from "../attack.ts";
import type { Fault, FaultPlace } from "./fault.ts";
import { HELD_ROW } from "./held-row.ts";
import { holdLock } from "./hold-lock.ts";

/**
 * Requests that need a commit or a row are refused with 503. Open streams stay open, and requests
 * that need no database continue.
 */
const NO_DATABASE: Partial<Bounds> = {
  refusals: {
    matching:
      /^(login|refresh|mint \w+|connect|subscribe \w+|consume.*|page|refresh frame|revocation): (503|refused with 503|no end of)/,
    reason: "nothing can be decided while the database hangs",
  },
  mayLogErrors: false,
};

export const FAULTS: readonly Fault[] = [
  {
    name: "hung-commits-ghost-standby",
    title: "the database waits for a standby that does not exist",
    othersCanConnect: true,
    bounds: NO_DATABASE,
    inflict: async ({ system }) => {
      const url = system.databaseUrl;
      await setSetting(url, "synchronous_standby_names", "'ghost'");
      return async () => await resetSetting(url, "synchronous_standby_names");
    },
  },
  {
    name: "hung-commits-stalled-disk",
    title: "the disk of the database stops writing",
    // A login may have to write, too.
    othersCanConnect: false,
    bounds: NO_DATABASE,
    impossible: ({ disk }) =>
      disk === undefined ? "no disk can be mounted here, which needs root" : undefined,
    inflict: async ({ disk }) => {
      disk?.freeze();
      return async () => disk?.thaw();
    },
  },
  {
    name: "hung-commits-stopped-database",
    title: "every process of the database is stopped",
    othersCanConnect: false,
    bounds: NO_DATABASE,
    inflict: async (place) => await stopProcesses(place, () => true),
  },
  {
    name: "hung-commits-stopped-backends",
    title: "the processes that serve our services are stopped, and new ones can be had",
    othersCanConnect: true,
    bounds: NO_DATABASE,
    inflict: async (place) => await stopProcesses(place, isServing),
  },
  {
    name: "hung-commits-stalled-network",
    title: "nothing goes through between the services and the database",
    othersCanConnect: true,
    bounds: NO_DATABASE,
    inflict: async ({ network }) => {
      network.setPassage("nothing");
      return async () => network.setPassage("both");
    },
  },
  {
    name: "hung-commits-stalled-answers",
    title: "the database gets everything, and its answers get lost",
    othersCanConnect: true,
    bounds: NO_DATABASE,
    inflict: async ({ network }) => {
      network.setPassage("requests-only");
      return async () => network.setPassage("both");
    },
  },
  {
    name: "hung-commits-cut-connections",
    title: "every connection to the database breaks, again and again",
    othersCanConnect: true,
    bounds: NO_DATABASE,
    inflict: async ({ network }) => {
      const timer = setInterval(network.cut, CUT_EVERY_MS);
      return async () => clearInterval(timer);
    },
  },
  {
    name: "hung-commits-locked-table",
    title: "somebody holds a lock on every bucket",
    othersCanConnect: true,
    bounds: NO_DATABASE,
    inflict: async ({ system }) =>
      await holdLock(system.databaseUrl, "lock table limiter.buckets in access exclusive mode"),
  },
  HELD_ROW,
];

const CUT_EVERY_MS = 300;

async function setSetting(url: string, name: string, value: string): Promise<void> {
  await runSql(url, `alter system set ${name} = ${value}`);
  await runSql(url, "select pg_reload_conf()");
}

async function resetSetting(url: string, name: string): Promise<void> {
  await runSql(url, `alter system reset ${name}`);
  await runSql(url, "select pg_reload_conf()");
}

/** Stops the children first: the postmaster would notice that they are stopped. */
async function stopProcesses(
  { system: { postgres } }: FaultPlace,
  matches: (commandLine: string) => boolean,
): Promise<() => Promise<void>> {
  const stopped: number[] = [];
  for (const pid of (await findPostgresProcesses(postgres.dataDirectory)).reverse()) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "");
    if (!matches(commandLine)) continue;
    signalIfAlive(pid, "SIGSTOP");
    stopped.push(pid);
  }
  return async () => {
    for (const pid of stopped.reverse()) signalIfAlive(pid, "SIGCONT");
  };
}

/** A backend names the address of its client. */
function isServing(commandLine: string): boolean {
  return /^postgres: postgres .*127\.0\.0\.1/.test(commandLine);
}
