import { expect, test } from "vitest";
import { findCaller, readBearer } from "./caller.ts";
import { Secret } from "./secret.ts";

const credentials = {
  gateway: [new Secret("old-token"), new Secret("new-token")],
  auth: [new Secret("auth-token")],
};

test("findCaller() knows a caller by either of its live tokens", () => {
  expect(findCaller("Bearer old-token", credentials)).toBe("gateway");
  expect(findCaller("bearer new-token", credentials)).toBe("gateway");
  expect(findCaller("Bearer auth-token", credentials)).toBe("auth");
  expect(findCaller("Bearer  auth-token", credentials)).toBe("auth");
});

test("findCaller() knows nobody by anything else", () => {
  const strangers = [
    undefined,
    null,
    "",
    "Bearer",
    "Bearer ",
    "Bearer other",
    "Bearer   ",
    "Basic auth-token",
  ];
  for (const header of [
    ...strangers,
    "auth-token",
    "Bearer\tauth-token",
    "Bearer auth-token x",
    "Bearer auth-tokén",
  ]) {
    expect(findCaller(header, credentials), String(header)).toBeUndefined();
  }
});

test("readBearer() bounds what it reads", () => {
  expect(readBearer(`Bearer ${"a".repeat(8_192)}`)).toHaveLength(8_192);
  expect(readBearer(`Bearer ${"a".repeat(8_193)}`)).toBeUndefined();
});
