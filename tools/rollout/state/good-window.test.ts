import { expect, test } from "vitest";
import { chooseWindow, type GoodWindow, windowToBaseline } from "./good-window.ts";

const NOW_MS = Date.parse("2030-01-01T12:00:00Z");
const OLD: GoodWindow = {
  from: "2030-01-01T08:00:00.000Z",
  to: "2030-01-01T08:10:00.000Z",
  hops: { auth: 0 },
};
const OLDER: GoodWindow = {
  ...OLD,
  from: "2029-12-31T08:00:00.000Z",
  to: "2029-12-31T08:10:00.000Z",
};
const FRESH: GoodWindow = {
  from: "2030-01-01T11:50:00.000Z",
  to: "2030-01-01T12:00:00.000Z",
  hops: { auth: 1 },
};

test.each([
  { title: "nothing was ever changed", changedAt: null, known: [OLD], expected: FRESH },
  {
    title: "the last change is over",
    changedAt: "2030-01-01T11:50:00Z",
    known: [OLD],
    expected: FRESH,
  },
  {
    title: "a bad release was just taken back",
    changedAt: "2030-01-01T11:58:00Z",
    known: [OLD],
    expected: OLD,
  },
  {
    title: "several are known",
    changedAt: "2030-01-01T11:58:00Z",
    known: [null, OLD, OLDER],
    expected: OLD,
  },
  {
    title: "no better one is known",
    changedAt: "2030-01-01T11:58:00Z",
    known: [null, undefined],
    expected: { ...FRESH, from: "2030-01-01T11:58:00.000Z" },
  },
])("chooseWindow() when $title", ({ changedAt, known, expected }) => {
  const options = { nowMs: NOW_MS, durationMs: 600_000, hops: { auth: 1 }, changedAt, known };
  expect(chooseWindow(options)).toEqual(expected);
});

test("chooseWindow() begins with the last change where that is long enough ago", () => {
  const changedAt = "2030-01-01T11:58:00.000Z";
  const hops = {};
  const options = { nowMs: NOW_MS, durationMs: 100_000, hops, changedAt, known: [OLD] };
  expect(chooseWindow(options)).toMatchObject({ from: "2030-01-01T11:58:20.000Z" });
  expect(chooseWindow({ ...options, durationMs: 120_000 })).toMatchObject({ from: changedAt });
  expect(chooseWindow({ ...options, durationMs: 121_000 })).toBe(OLD);
});

test("chooseWindow() reaches back a minute at least, and windowToBaseline() says how far", () => {
  const hops = {};
  const window = chooseWindow({
    nowMs: NOW_MS,
    durationMs: 5_000,
    hops,
    changedAt: null,
    known: [],
  });
  expect(windowToBaseline(window)).toEqual({ endsAt: new Date(NOW_MS), windowSeconds: 60 });
});
