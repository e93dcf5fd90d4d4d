import { expect, test } from "vitest";
import { configHash } from "./config-hash.ts";
import { Secret } from "./secret.ts";

test("configHash() is the same for the same settings, in any order", () => {
  expect(configHash({ a: 1, b: { c: 2, d: [3] } })).toBe(configHash({ b: { d: [3], c: 2 }, a: 1 }));
});

test("configHash() tells settings apart, and does not depend on secrets", () => {
  expect(configHash({ hops: 1 })).not.toBe(configHash({ hops: 2 }));
  expect(configHash({ salt: new Secret("one") })).toBe(configHash({ salt: new Secret("two") }));
});
