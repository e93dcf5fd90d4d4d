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
