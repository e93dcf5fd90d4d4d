import { expect, test } from "vitest";
import { findJsonProblem } from "./json-bounds.ts";

const BOUNDS = { elementsMax: 20, listEntriesMax: 5 };

const taken = [
  "",
  "{}",
  '{"a":[1,2,3,4,5],"b":"[[[[,,,,,,,,"}',
  '{"a":"\\"[,,,,,,,","b":{"c":[[],[]]}}',
  "not json at all",
  `${"[".repeat(20)}`,
];

test.each(taken)("findJsonProblem() takes %s", (text) => {
  expect(findJsonProblem(Buffer.from(text), BOUNDS)).toBeUndefined();
});

const refused: ReadonlyArray<[string, string]> = [
  ['{"requests":[{},{},{},{},{},{}]}', "requests: holds more than 5 entries"],
  ['{"a":{"b":[1,2,3,4,5,6]}}', "b: holds more than 5 entries"],
  ["[[1,2,3,4,5,6]]", "list: holds more than 5 entries"],
  ['{"a":[[],[],[],[],[],[],"', "a: holds more than 5 entries"],
  [`{"a":{${'"k":{},'.repeat(12)}`, "the message holds more than 20 elements"],
  [",".repeat(21), "the message holds more than 20 elements"],
];

test.each(refused)("findJsonProblem() refuses %s", (text, problem) => {
  expect(findJsonProblem(Buffer.from(text), BOUNDS)).toBe(problem);
});

test("findJsonProblem() refuses what is nested too deeply, however it is spelled", () => {
  const bounds = { elementsMax: 1_000_000, listEntriesMax: 1_000_000 };
  expect(findJsonProblem(Buffer.from("[".repeat(64)), bounds)).toBeUndefined();
  for (const opener of ["[", '{"a":', '[{"a":']) {
    const text = Buffer.from(opener.repeat(65));
    expect(findJsonProblem(text, bounds), opener).toMatch(/nested more than 64/);
  }
});
