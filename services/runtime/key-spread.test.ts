import { describe, expect, test } from "vitest";
import { KeySpread } from "./key-spread.ts";

describe("KeySpread", () => {
  test("topShare() is the share of the most frequent key", () => {
    const spread = new KeySpread();
    for (let i = 0; i < 60; i++) spread.record("203.0.113.1", 1_000);
    for (let i = 0; i < 40; i++) spread.record(`198.51.100.${i}`, 7_000);
    expect(spread.topShare(8_000)).toBe(0.6);
  });

  test("topShare() is 0 before the first request, and 0 again a minute after the last", () => {
    const spread = new KeySpread();
    expect(spread.topShare(0)).toBe(0);
    spread.record("203.0.113.1", 0);
    expect(spread.topShare(59_999)).toBe(1);
    expect(spread.topShare(66_000)).toBe(0);
  });

  test("topShare() finds one heavy key among any number of others", () => {
    const spread = new KeySpread();
    for (let i = 0; i < 30_000; i++) {
      spread.record(`2001:db8::${i.toString(16)}`, 1_000);
      spread.record(`2001:db8:1::${i.toString(16)}`, 1_000);
      spread.record("203.0.113.1", 1_000);
    }
    expect(spread.topShare(1_000)).toBeGreaterThanOrEqual(1 / 3);
    expect(spread.topShare(1_000)).toBeLessThan(1 / 3 + 1 / 64);
  });

  test("topShare() of evenly spread keys is at most the error that is promised", () => {
    const spread = new KeySpread();
    for (let i = 0; i < 50_000; i++) spread.record(`10.0.${i >> 8}.${i & 255}`, 1_000);
    expect(spread.topShare(1_000)).toBeLessThanOrEqual(2 / 64);
  });

  for (const count of [0, 1, 10, 1_000, 10_000, 200_000]) {
    test(`distinct() estimates ${count} keys within a tenth`, () => {
      const spread = new KeySpread();
      for (const nowMs of [1_000, 9_000]) {
        for (let i = 0; i < count; i++) spread.record(`key ${i}`, nowMs);
      }
      expect(spread.distinct(9_000)).toBeGreaterThanOrEqual(count * 0.87);
      expect(spread.distinct(9_000)).toBeLessThanOrEqual(count * 1.13);
    });
  }

  test("a clock that steps back leaves nothing that lasts", () => {
    const spread = new KeySpread();
    spread.record("a", 1_000_000);
    spread.record("b", 10_000);
    expect(spread.topShare(10_000)).toBe(1);
    expect(spread.distinct(10_000)).toBe(1);
  });
});
