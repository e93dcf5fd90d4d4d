import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);
const PROGRAM = fileURLToPath(
  new URL("../../dist/test/limiter/heap-under-test.js", import.meta.url),
);
const HEAP_MIB = 96;
/** Together 50 MB of keys alone, and several hundred with what is known of them. */
const KEYS = 100_000;
const TIMEOUT_MS = 240_000;

test("ever new keys of every kind and of the greatest length fit into a small heap", {
  timeout: TIMEOUT_MS,
}, async () => {
  const { stdout } = await run(process.execPath, [
    `--max-old-space-size=${HEAP_MIB}`,
    PROGRAM,
    String(KEYS),
  ]);
  const { decided, refused }: { decided: number; refused: number } = JSON.parse(stdout);
  expect(decided + refused).toBe(KEYS);
  // A store in memory is full at some time, and says so.
  expect(decided).toBeGreaterThan(10_000);
});
