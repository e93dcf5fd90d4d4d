import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Child, exitText, startChild } from "./child.ts";
import type { Unit } from "./supervisor.ts";

/** The longest part of a start: migrations of a large database. */
const READY_TIMEOUT_MS = 60_000;
const READY_POLL_MS = 50;
/** A process that hangs must not block the start. */
const PROBE_TIMEOUT_MS = 1_000;
/** A little longer than a service takes to end itself by force. */
const STOP_TIMEOUT_MS = 11_000;

/** One service in a process; it is ready once each of its doors answers. */
export function createServiceUnit(options: {
  name: string;
  program: URL;
  /** The URLs that each door answers with 200 once it serves. */
  probes: readonly string[];
  /** Called at each start: it holds the URL of the database, which starts earlier. */
  environment: () => NodeJS.ProcessEnv;
  onLine: (line: string, stream: "stdout" | "stderr") => void;
}): Unit {
  const { name } = options;
  return {
    name,
    async start(signal) {
      let reason = "";
      const child = await startChild({
        name,
        command: process.execPath,
        arguments: [fileURLToPath(options.program)],
        environment: options.environment(),
        onLine: (line, stream) => {
          reason = fatalMessage(line) ?? reason;
          options.onLine(line, stream);
        },
      });
      try {
        for (const url of options.probes) await waitUntilReady(child, url, signal);
      } catch (error) {
        child.kill("SIGKILL");
        await child.exited;
        if (signal.aborted || !(error instanceof Error)) throw error;
        // The last log line of a service names the service and the reason.
        throw new Error(reason || [`${name} ${error.message}`, ...child.errorLines()].join("\n"));
      }
      return {
        exited: child.exited,
        async stop() {
          await child.stop(STOP_TIMEOUT_MS);
        },
        kill: () => child.kill("SIGKILL"),
      };
    },
  };
}

async function waitUntilReady(child: Child, url: string, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (!(await answersOk(url))) {
    signal.throwIfAborted();
    if (!child.isRunning()) throw new Error(exitText(await child.exited));
    if (Date.now() > deadline) throw new Error(`was not ready after ${READY_TIMEOUT_MS} ms`);
    await sleep(READY_POLL_MS, undefined, { signal });
  }
  // Another process on the same port must not be mistaken for the service.
  if (!child.isRunning()) throw new Error(exitText(await child.exited));
}

async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** A service logs the reason of its exit in its last line. */
function fatalMessage(line: string): string | undefined {
  if (!line.startsWith('{"level":"fatal"')) return undefined;
  const { msg } = JSON.parse(line) as { msg?: string };
  return msg;
}
