import { expect, test } from "vitest";
import { DatabaseClock } from "./database-clock.ts";

test("earliestMs() is what was read last and the time that has passed since", () => {
  const { clock, pass } = setup();
  expect(clock.earliestMs()).toBeUndefined();
  clock.read(5_000);
  expect(clock.earliestMs()).toBe(5_000);
  pass(7.9);
  expect(clock.earliestMs()).toBe(5_007);
});

test("read() passes over a reading that took longer than an earlier one", () => {
  const { clock, pass } = setup();
  clock.read(5_000);
  pass(10);
  clock.read(5_006);
  expect(clock.earliestMs()).toBe(5_010);
  clock.read(5_011);
  expect(clock.earliestMs()).toBe(5_011);
});

test("forget() lets a clock that stepped back be read again", () => {
  const { clock } = setup();
  clock.read(5_000);
  clock.forget();
  expect(clock.earliestMs()).toBeUndefined();
  clock.read(1_000);
  expect(clock.earliestMs()).toBe(1_000);
});

function setup() {
  let localMs = 100;
  const clock = new DatabaseClock(() => localMs);
  const pass = (ms: number) => {
    localMs += ms;
  };
  return { clock, pass };
}
