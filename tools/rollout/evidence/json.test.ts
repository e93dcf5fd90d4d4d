import { expect, test } from "vitest";
import { headOf, nextRecord } from "./evidence-chain.ts";
import { canonicalJson, toJson } from "./json.ts";

test("canonicalJson() writes equal values as equal bytes, in the order of UTF-16", () => {
  const value = {
    "€": 1,
    "\r": 2,
    ö: { b: [1e30, 0.1, -0], a: "\u001f" },
    "😀": null,
    "\ufb33": true,
  };
  expect(canonicalJson(value)).toBe(
    '{"\\r":2,"ö":{"a":"\\u001f","b":[1e+30,0.1,0]},"€":1,"😀":null,"\ufb33":true}',
  );
  expect(() => canonicalJson({ limit: Number.NaN })).toThrow("NaN is not allowed");
});

test("toJson() keeps what JSON can hold, and makes texts that RFC 8785 has bytes for", () => {
  expect(toJson({ at: new Date(5), gone: undefined, text: "a\ud800b😀" })).toEqual({
    at: "1970-01-01T00:00:00.005Z",
    text: "a\ufffdb😀",
  });
  expect(toJson(undefined)).toBeNull();
});

test("nextRecord() hashes as every release did, so that evidence of earlier ones holds", () => {
  const data = toJson({ output: "π\n", values: [1e21, 0.1, -0, 1e-7], none: null, "\ufb33": {} });
  const first = nextRecord(headOf([]), { at: "1970-01-01T00:00:00.000Z", kind: "checks", data });
  const half = { at: first.at, kind: first.kind, data: { text: "\ud800" }, who: "äö" };
  expect(first.hash).toBe("d3e6498a4ca43013de780e68fca4919d9e84f3956dfa083e61a4110620cb1fc9");
  expect(nextRecord(headOf([first]), half).hash).toBe(
    "00675ccc56d71e0a17e6b78d441e684d82b37d4d3be9d683843a0d2b41fe2955",
  );
});
