import { expect, test } from "vitest";
import { formatCursor, isCursorExpired, parseCursor } from "./revocation-cursor.ts";

const EPOCH = "5d1fd3f2-6f0d-4c43-8a9e-3a1c93e0f2a7";
const OTHER = "0b0e7ad6-7a3c-4f7e-9a59-0d4e3c1c2b1a";

test("isCursorExpired() tells of every gap", () => {
  const log = { epoch: EPOCH, lastSequence: 20n, trimmedThrough: 10n };
  const cases = [
    { epoch: EPOCH, sequence: 9n, isExpired: true },
    { epoch: EPOCH, sequence: 10n, isExpired: false },
    { epoch: EPOCH, sequence: 20n, isExpired: false },
    { epoch: EPOCH, sequence: 21n, isExpired: true },
    { epoch: OTHER, sequence: 15n, isExpired: true },
  ];
  for (const { isExpired, ...cursor } of cases) {
    expect(isCursorExpired(cursor, log), formatCursor(cursor)).toBe(isExpired);
  }
});

test("parseCursor() reads what formatCursor() writes", () => {
  const cursor = { epoch: EPOCH, sequence: 7n };
  expect(parseCursor(formatCursor(cursor))).toEqual(cursor);
});

test("parseCursor() refuses what formatCursor() never writes", () => {
  const endings = ["", ":", ":-1", ":1e1", ": 1", `:${"9".repeat(40)}`];
  for (const text of ["", "x:1", `${"-".repeat(36)}:1`, ...endings.map((end) => EPOCH + end)]) {
    expect(parseCursor(text), text).toBeUndefined();
  }
});
