import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { expect, onTestFinished, test } from "vitest";

/** The process stops waiting for a pipe that nobody reads after half a second. */
const ENDS_WITHIN_MS = 5_000;

test("a process whose log nobody reads goes on, and ends when it is told to", async () => {
  const process = start();
  expect(await once(process.stderr, "data")).toEqual([Buffer.from("alive\n")]);
  expect(await end(process)).toBe(0);
});

test("a process whose log's reader is gone goes on, and ends when it is told to", async () => {
  const process = start();
  process.stdout.destroy();
  expect(await once(process.stderr, "data")).toEqual([Buffer.from("alive\n")]);
  expect(await end(process)).toBe(0);
});

test("a process whose log is read late says how many lines were lost", async () => {
  const process = start();
  await once(process.stderr, "data");
  const lines: string[] = [];
  process.stdout.setEncoding("utf8").on("data", (text: string) => lines.push(text));
  await expect
    .poll(() => lines.join(""), { timeout: ENDS_WITHIN_MS })
    .toMatch(/"lines":\d+,"msg":"log lines were lost: whoever reads them was too slow"/);
  expect(await end(process)).toBe(0);
});

type Chatty = ChildProcessByStdio<null, Readable, Readable>;

function start(): Chatty {
  const child = spawn(process.execPath, ["dist/test/runtime/chatty-process.js"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

async function end(child: Chatty): Promise<number | null> {
  const exited = once(child, "exit", { signal: AbortSignal.timeout(ENDS_WITHIN_MS) });
  child.kill("SIGTERM");
  const [code] = await exited;
  return code;
}
