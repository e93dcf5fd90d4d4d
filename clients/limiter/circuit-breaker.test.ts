import { expect, test } from "vitest";
import { CircuitBreaker } from "./circuit-breaker.ts";

function failTimes(breaker: CircuitBreaker, times: number, nowMs: number): void {
  for (let failure = 0; failure < times; failure++) breaker.failed(nowMs);
}

test("admits() lets everything through until five failures in a row", () => {
  const breaker = new CircuitBreaker();
  failTimes(breaker, 4, 0);
  breaker.succeeded();
  failTimes(breaker, 4, 0);
  expect(breaker.admits(0)).toBe(true);
  breaker.failed(0);
  expect(breaker.admits(0)).toBe(false);
});

test("admits() lets one probe through a second while open, and all after a success", () => {
  const breaker = new CircuitBreaker();
  failTimes(breaker, 5, 0);
  const steps = [
    { atMs: 999, admitted: false },
    { atMs: 1_000, admitted: true },
    { atMs: 1_001, admitted: false },
    { atMs: 1_999, admitted: false },
    { atMs: 2_000, admitted: true },
  ];
  for (const { atMs, admitted } of steps) expect(breaker.admits(atMs), `${atMs}`).toBe(admitted);
  breaker.succeeded();
  expect([breaker.admits(2_001), breaker.admits(2_001)]).toEqual([true, true]);
});

test("admits() does not stay shut when the clock steps back", () => {
  const breaker = new CircuitBreaker();
  failTimes(breaker, 5, 1_000_000);
  expect(breaker.admits(1)).toBe(true);
});

test("admits() refuses only the bucket that all failures had in common", () => {
  const breaker = new CircuitBreaker();
  breaker.failed(0, ["a", "b"]);
  for (let failure = 1; failure < 5; failure++) breaker.failed(0, ["a", "c"]);
  expect(breaker.isOpenForAll).toBe(false);
  expect(breaker.admits(1, () => ["a"])).toBe(false);
  expect(breaker.admits(1, () => ["b", "a"])).toBe(false);
  expect(breaker.admits(1, () => ["c"])).toBe(true);
  expect(breaker.admits(1_000, () => ["a"])).toBe(true);
});

test("admits() refuses everybody once failures have nothing in common", () => {
  const breaker = new CircuitBreaker();
  for (let failure = 0; failure < 5; failure++) breaker.failed(0, ["a"]);
  breaker.failed(0, ["b"]);
  expect(breaker.isOpenForAll).toBe(true);
  expect(breaker.admits(1, () => ["c"])).toBe(false);
  // A later failure of one bucket does not make it the reason for those before.
  breaker.failed(0, ["b"]);
  expect(breaker.isOpenForAll).toBe(true);
  breaker.succeeded();
  expect([breaker.isOpenForAll, breaker.admits(1, () => ["a"])]).toEqual([false, true]);
});
