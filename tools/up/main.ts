import { existsSync } from "node:fs";
import picocolors from "picocolors";
import { runUp } from "./up.ts";
import { readUpConfig } from "./up-config.ts";

/**
 * npm forwards Ctrl-C, which the terminal also sends us: two signals within this time are one
 * request.
 */
const SAME_WISH_MS = 500;
/** How often to check that npm is still alive. */
const PARENT_POLL_MS = 1_000;
const ENV_FILE = ".env";

if (existsSync(ENV_FILE)) process.loadEnvFile(ENV_FILE);

const stop = new AbortController();
const force = new AbortController();
listenForEnd();
try {
  await runUp({
    config: readUpConfig(process.env),
    environment: process.env,
    programs: new URL("../../", import.meta.url),
    onLine: (line, stream) => process[stream].write(`${line}\n`),
    report: (text) => process.stdout.write(`${picocolors.cyan(text)}\n`),
    show: (text) => process.stdout.write(`${text}\n`),
    stop: stop.signal,
    force: force.signal,
  });
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${picocolors.red("portcullis could not start:")} ${reason}\n`);
  process.exitCode = 1;
}
process.exit();

function listenForEnd(): void {
  let askedAtMs = Number.POSITIVE_INFINITY;
  const end = () => {
    if (performance.now() - askedAtMs > SAME_WISH_MS) force.abort();
    else if (!stop.signal.aborted) {
      askedAtMs = performance.now();
      process.stdout.write(`${picocolors.cyan("stopping")}\n`);
      stop.abort();
    }
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, end);
  // A closed output means that the reader has gone.
  process.stdout.on("error", end);
  process.stderr.on("error", end);
  if (process.env["npm_lifecycle_event"] !== "start") return;
  // A killed npm could not forward any signal.
  const parent = process.ppid;
  const poll = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(poll);
    stop.abort();
  }, PARENT_POLL_MS);
}
