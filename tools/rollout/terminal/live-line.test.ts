import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLiveLine } from "./live-line.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a terminal gets one line that counts down by itself and is cut to its width", () => {
  const { live, written } = setup({ isTerminal: true, columns: 32 });
  live.show("canary: nothing has failed", Date.now() + 10_000);
  vi.advanceTimersByTime(2_000);
  live.clear();
  vi.advanceTimersByTime(5_000);
  const lines = written.join("").split("\r\u001b[2K");
  expect(lines).toEqual([
    "",
    "canary: nothing has failed, 10…",
    "canary: nothing has failed, 9 …",
    "canary: nothing has failed, 8 …",
    "",
  ]);
  expect(written.join("")).not.toContain("\n");
});

test("a log gets a line now and then, without anything that only terminals understand", () => {
  const { live, written } = setup({ isTerminal: false });
  live.show("canary: nothing has failed", Date.now() + 90_000);
  vi.advanceTimersByTime(59_000);
  live.show("canary: failed: canary.login");
  live.clear();
  expect(written.join("")).toBe(
    [
      "canary: nothing has failed, 90 s left",
      "canary: nothing has failed, 60 s left",
      "canary: failed: canary.login",
      "",
    ].join("\n"),
  );
});

function setup(options: { isTerminal: boolean; columns?: number }) {
  const written: string[] = [];
  const stderr = (text: string) => void written.push(text);
  return { written, live: createLiveLine({ ...options, stderr }, Date.now) };
}
