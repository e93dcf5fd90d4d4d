import { create } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { readPublishedJson, UPDATE_BYTES_MAX } from "./published-json.ts";

const ONE = create(ValueSchema, { kind: { case: "numberValue", value: 1 } });

describe("readPublishedJson() takes a text as it is:", () => {
  const texts = [
    '{"id": 1234567890123456789, "__proto__": {"a": 1}, "2": 1, "1": 2}',
    '{"a":1,"a":2}',
    ' "\\ud800" ',
    "-0.10e-400",
    "null",
    `"${"x".repeat(UPDATE_BYTES_MAX - 2)}"`,
    `${"[".repeat(UPDATE_BYTES_MAX / 2)}${"]".repeat(UPDATE_BYTES_MAX / 2)}`,
  ];
  for (const text of texts) {
    test(text.slice(0, 40), () => {
      expect(readPublishedJson({ jsonText: text, json: ONE })).toEqual({ kind: "json", text });
    });
  }
});

test("readPublishedJson() writes a value as JSON", () => {
  expect(readPublishedJson({ jsonText: "", json: ONE })).toEqual({ kind: "json", text: "1" });
});

describe("readPublishedJson() refuses, naming the field,", () => {
  const infinite = create(ValueSchema, { kind: { case: "numberValue", value: 1 / 0 } });
  const refused = [
    { name: "nothing", request: { jsonText: "" }, problem: "json is required" },
    ...["{", "1 2", "undefined", "NaN", "\ufeff1", "'a'", '"\ud800"', '"\n"'].map((jsonText) => {
      return { name: JSON.stringify(jsonText), request: { jsonText }, problem: "json is not JSON" };
    }),
    {
      name: "a byte too many",
      request: { jsonText: `"ü${"x".repeat(UPDATE_BYTES_MAX - 3)}"` },
      problem: "json holds more than 65536 bytes",
    },
    {
      name: "a value that JSON does not have",
      request: { jsonText: "", json: infinite },
      problem: "json cannot be written as JSON",
    },
    {
      name: "a value without a kind",
      request: { jsonText: "", json: create(ValueSchema) },
      problem: "json cannot be written as JSON",
    },
  ];
  for (const { name, request, problem } of refused) {
    test(name, () => expect(readPublishedJson(request)).toEqual({ kind: "problem", problem }));
  }
});
