import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Child, exitText, startChild } from "./child.ts";
import type { Unit } from "./supervisor.ts";

/** Migrations of a large database are the longest thing that a start waits for. */
const READY_TIMEOUT_MS = 60_000;
const READY_POLL_MS = 50;
/** A probe of a process that hangs must not hang the start. */
const PROBE_TIMEOUT_MS = 1_000;
/** A little longer than a service takes to end itself by force. */
const STOP_TIMEOUT_MS = 11_000;

/** One service as a process of its own; it serves when each of its doors says so. */
export function createServiceUnit(options: {
  name: string;
  program: URL;
  /** What each door answers with 200 when it serves. */
  probes: readonly string[];
  /** Asked at each start, since it holds the URL of a database that starts before. */
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
        // A service that says why it ends names itself, too.
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
  // What answered must not be somebody else on the same port.
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

/** Services say why they end in their last log line. */
function fatalMessage(line: string): string | undefined {
  if (!line.startsWith('{"level":"fatal"')) return undefined;
  const { msg } = JSON.parse(line) as { msg?: string };
  return msg;
}
