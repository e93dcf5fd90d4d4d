import { expect, test } from "vitest";
import { configHash, policiesHash } from "./config-hash.ts";
import { Secret } from "./secret.ts";

test("configHash() is the same for the same settings, in any order", () => {
  expect(configHash({ a: 1, b: { c: 2, d: [3] } })).toBe(configHash({ b: { d: [3], c: 2 }, a: 1 }));
});

test("configHash() tells settings apart, and does not depend on secrets", () => {
  expect(configHash({ hops: 1 })).not.toBe(configHash({ hops: 2 }));
  expect(configHash({ salt: new Secret("one") })).toBe(configHash({ salt: new Secret("two") }));
});

test("configHash() tells releases, policies and keys apart", () => {
  const running = {
    release: { version: "1.0.0", revision: "a" },
    policiesHash: policiesHash(new Map([["login.ip", { limit: 30 }]])),
    keyFingerprints: ["one"],
  };
  const hashes = [
    running,
    { ...running, release: { version: "1.1.0", revision: "a" } },
    { ...running, release: { version: "1.0.0", revision: "b" } },
    { ...running, policiesHash: policiesHash(new Map([["login.ip", { limit: 31 }]])) },
    { ...running, keyFingerprints: ["two"] },
  ].map((other) => configHash({ hops: 1 }, other));
  expect(new Set(hashes).size).toBe(hashes.length);
  expect(configHash({ hops: 1 }, running)).toBe(hashes[0]);
});

test("policiesHash() is the same for the same policies, in any order", () => {
  const policies: [string, object][] = [
    ["a", { limit: 1, mode: "enforce" }],
    ["b", { limit: 2 }],
  ];
  const turned: [string, object][] = [
    ["b", { limit: 2 }],
    ["a", { mode: "enforce", limit: 1 }],
  ];
  expect(policiesHash(new Map(policies))).toBe(policiesHash(new Map(turned)));
});
