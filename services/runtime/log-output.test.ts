import { once } from "node:events";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { createLogOutput, LOG_BYTES_WAITING_MAX } from "./log-output.ts";

const LINE = `${"x".repeat(1_023)}\n`;
const LINES_KEPT = LOG_BYTES_WAITING_MAX / LINE.length + 1;

test("createLogOutput() loses what a slow reader has no room for, and says how much", async () => {
  const { stream, output, lost } = setup();
  for (let line = 0; line < LINES_KEPT + 7; line++) output.write(LINE);
  expect(stream.writableLength).toBeLessThanOrEqual(LOG_BYTES_WAITING_MAX + LINE.length);
  const isDrained = once(stream, "drain");
  stream.resume();
  await isDrained;
  expect(lost).toEqual([7]);
});

test("createLogOutput() writes every line again once the reader has read", async () => {
  const { stream, output, lost } = setup();
  const read: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => read.push(chunk));
  for (let line = 0; line < 10; line++) output.write(LINE);
  await output.settled();
  expect(Buffer.concat(read).toString()).toBe(LINE.repeat(10));
  expect(lost).toEqual([]);
});

test("createLogOutput() survives a reader that is gone", async () => {
  const { stream, output } = setup();
  output.write(LINE);
  const isGone = once(stream, "error");
  stream.destroy(new Error("EPIPE"));
  await isGone.catch(() => undefined);
  output.write(LINE);
  await output.settled();
  expect(stream.destroyed).toBe(true);
});

function setup() {
  // Nothing reads the stream until a test resumes it.
  const stream = new PassThrough({ readableHighWaterMark: 0, writableHighWaterMark: 0 });
  const lost: number[] = [];
  const output = createLogOutput(stream, (lines) => lost.push(lines));
  return { stream, output, lost };
}
