import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, chown, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { type Child, type Exit, exitText, startChild } from "./child.ts";
import {
  findPostgresBinaries,
  findPostgresUser,
  isReachableForAll,
  type PostgresBinaries,
  type PostgresUser,
} from "./postgres-binaries.ts";
import { findPostgresProcesses, readPostmasterPid, signalIfAlive } from "./postgres-processes.ts";

/** A Postgres server that we started, on the loopback interface. */
export type PostgresServer = {
  /** Connects as the superuser; contains the password. */
  url: string;
  port: number;
  dataDirectory: string;
  /** The process id of the postmaster. */
  pid: number;
  exited: Promise<Exit>;
  isRunning(): boolean;
  /** Ends all sessions and shuts down cleanly; kills the server if that takes too long. */
  stop(): Promise<void>;
  /** Kills the postmaster; its children notice and exit. */
  kill(): void;
};

export type PostgresServerOptions = {
  /** Holds the data directory `postgres` and the file `postgres-password`. */
  folder: string;
  port: number;
  /** More `name=value` settings of the server. */
  settings?: readonly string[];
  /** Aborts a start in progress. */
  signal?: AbortSignal | undefined;
};

/** Recovery after a crash replays at most a few checkpoints of log. */
const START_TIMEOUT_MS = 60_000;
const READY_POLL_MS = 25;
/** A fast shutdown writes one checkpoint. */
const STOP_TIMEOUT_MS = 8_000;
/** Killed processes disappear once the kernel has finished their system calls. */
const KILL_TIMEOUT_MS = 5_000;

/**
 * Starts Postgres on a data directory, and creates the directory at the first start. First kills
 * processes that a dead postmaster left behind. Refuses to start if the postmaster is alive.
 */
export async function startPostgresServer(options: PostgresServerOptions): Promise<PostgresServer> {
  const folder = resolve(options.folder);
  const dataDirectory = join(folder, "postgres");
  const runner = await createRunner(folder);
  const password = await initialise(folder, dataDirectory, runner, options.signal);
  await clearRemains(dataDirectory);
  options.signal?.throwIfAborted();

  const child = await startChild({
    name: "postgres",
    ...runner.command(runner.binaries.postgres, [
      ...["-D", dataDirectory, "-p", String(options.port)],
      ...[...SETTINGS, ...(options.settings ?? [])].flatMap((setting) => ["-c", setting]),
    ]),
    environment: ENVIRONMENT,
    stopSignal: "SIGINT",
  });
  const url = `postgres://postgres:${password}@127.0.0.1:${options.port}/postgres`;
  await waitUntilReady(child, url, options.signal).catch(async (error) => {
    await child.stop(STOP_TIMEOUT_MS);
    await killProcesses(dataDirectory);
    throw error;
  });
  return {
    url,
    port: options.port,
    dataDirectory,
    pid: child.pid,
    exited: child.exited,
    isRunning: child.isRunning,
    async stop() {
      if (child.isRunning()) await child.stop(STOP_TIMEOUT_MS);
      await killProcesses(dataDirectory);
    },
    kill: () => child.kill("SIGKILL"),
  };
}

/** Passes on nothing of our own environment: PG* variables and locales would change the server. */
const ENVIRONMENT = { PATH: "/usr/bin:/bin:/usr/sbin:/sbin", LC_ALL: "C", TZ: "UTC" };

/** Durability keeps its defaults: what is answered after a commit must survive a crash. */
const SETTINGS = [
  "listen_addresses=127.0.0.1",
  "unix_socket_directories=",
  "max_connections=200",
  "lc_messages=C",
];

type Runner = {
  binaries: PostgresBinaries;
  user: PostgresUser | undefined;
  command(
    program: string,
    arguments_: readonly string[],
  ): { command: string; arguments: readonly string[]; user: PostgresUser | undefined };
};

/**
 * Returns how to run a Postgres program: as ourselves, or as the user `postgres` if we are root.
 */
async function createRunner(folder: string): Promise<Runner> {
  const binaries = await findPostgresBinaries();
  const user = await findPostgresUser();
  await mkdir(folder, { recursive: true });
  if (user === undefined) return { binaries, user, command: asUser(undefined) };
  await chmod(folder, (await stat(folder)).mode | 0o755);
  const isReachable =
    (await isReachableForAll(binaries.postgres)) &&
    (await isReachableForAll(join(folder, "postgres-password")).catch(() =>
      isReachableForAll(folder),
    ));
  return { binaries, user, command: isReachable ? asUser(user) : withPassage(user) };
}

function asUser(user: PostgresUser | undefined): Runner["command"] {
  return (command, arguments_) => ({ command, arguments: arguments_, user });
}

/**
 * Below a folder that others cannot enter, such as `/root`, the user `postgres` reaches neither the
 * programs nor the data. Grants it the capability to pass through folders, and no other.
 */
function withPassage(user: PostgresUser): Runner["command"] {
  const flags = [
    `--reuid=${user.uid}`,
    `--regid=${user.gid}`,
    "--clear-groups",
    "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override",
  ];
  return (program, arguments_) => ({
    command: "setpriv",
    arguments: [...flags, program, ...arguments_],
    user: undefined,
  });
}

const run = promisify(execFile);

/** Creates the data directory unless it exists; returns the superuser's password. */
async function initialise(
  folder: string,
  dataDirectory: string,
  runner: Runner,
  signal: AbortSignal | undefined,
): Promise<string> {
  const passwordFile = join(folder, "postgres-password");
  if (await exists(dataDirectory)) return (await readFile(passwordFile, "utf8")).trim();

  const password = randomBytes(24).toString("base64url");
  await rm(passwordFile, { force: true });
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600, flag: "wx" });
  // Renamed when complete: an interrupted start leaves no half-made database.
  const unfinished = `${dataDirectory}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  const { user } = runner;
  if (user !== undefined) {
    await chown(passwordFile, user.uid, user.gid);
    await chown(unfinished, user.uid, user.gid);
  }
  const initdb = runner.command(runner.binaries.initdb, [
    `--pgdata=${unfinished}`,
    `--pwfile=${passwordFile}`,
    "--username=postgres",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
  ]);
  await run(initdb.command, [...initdb.arguments], { env: ENVIRONMENT, signal, ...initdb.user });
  await rename(unfinished, dataDirectory);
  return password;
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

/**
 * Kills processes that a dead postmaster left behind: they would keep the old server's shared
 * memory.
 */
async function clearRemains(dataDirectory: string): Promise<void> {
  const pids = await findPostgresProcesses(dataDirectory);
  const postmaster = await readPostmasterPid(dataDirectory);
  if (postmaster !== undefined && pids.includes(postmaster)) {
    throw new Error(
      `Postgres is already running on ${dataDirectory} as process ${postmaster}; stop it first`,
    );
  }
  await killProcesses(dataDirectory);
  // Nothing serves the directory now, so the file names a dead process, or an unrelated one.
  await rm(join(dataDirectory, "postmaster.pid"), { force: true });
}

async function killProcesses(dataDirectory: string): Promise<void> {
  const deadline = Date.now() + KILL_TIMEOUT_MS;
  for (;;) {
    const pids = await findPostgresProcesses(dataDirectory);
    if (pids.length === 0) return;
    if (Date.now() > deadline) throw new Error(`processes ${pids.join(", ")} do not end`);
    for (const pid of pids) signalIfAlive(pid, "SIGKILL");
    await sleep(READY_POLL_MS);
  }
}

async function waitUntilReady(
  child: Child,
  url: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await canConnect(url))) {
    signal?.throwIfAborted();
    if (!child.isRunning()) {
      const exit = await child.exited;
      throw new Error(`Postgres ${exitText(exit)}:\n${child.errorLines().join("\n")}`);
    }
    if (Date.now() > deadline) {
      throw new Error(`Postgres was not ready after ${START_TIMEOUT_MS / 1_000} s`);
    }
    await sleep(READY_POLL_MS);
  }
}

async function canConnect(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}
