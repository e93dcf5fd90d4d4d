import { expect, test } from "vitest";
import * as z from "zod";
import { checkContent } from "./check-content.ts";
import { mapSchema, withRules } from "./map-schema.ts";
import { atLine, nameOf, type Problem } from "./problem.ts";
import { readDocument } from "./read-document.ts";

const MESSAGES = { notMap: "must be a map", unknownField: "unknown field" };

const RANGE = withRules(mapSchema({ from: z.int("no"), to: z.int("no") }, MESSAGES), [
  {
    fields: ["from", "to"],
    find: ({ from, to }) => (from > to ? { path: ["from"], message: "is after to" } : undefined),
  },
]);
const TEXTS = z.union([z.string(), z.array(z.string("must be a text"))], "must be texts");
const DOCUMENT = mapSchema({ range: RANGE, texts: TEXTS.optional() }, MESSAGES);

test("readDocument() answers the value as the schema reads it", () => {
  const value = { range: { from: 1, to: 2 }, texts: "a" };
  expect(readDocument("range: { from: 1, to: 2 }\ntexts: a\n", DOCUMENT)).toEqual({
    kind: "valid",
    value,
  });
});

test("readDocument() names everything that is wrong, in the order of the file", () => {
  const text = "colour: 1\ntexts:\n  - a\n  - 7\nrange:\n  from: 9\n  to: 1\n  other: 2\n";
  expect(problemsOf(text)).toEqual([
    "line 1: colour unknown field",
    "line 4: texts must be a text",
    "line 6: range.from is after to",
    "line 8: range.other unknown field",
  ]);
});

test("readDocument() asks no rule about a field that is wrong by itself, nor where there is no map", () => {
  expect(problemsOf("range: { from: x, to: 1 }")).toEqual(["line 1: range.from no"]);
  expect(problemsOf("range: 5")).toEqual(["line 1: range must be a map"]);
  expect(problemsOf("range: { from: 1, to: 1 }\ntexts: 5")).toEqual([
    "line 2: texts must be texts",
  ]);
});

test("readDocument() tells of a text that is no document before any schema is asked", () => {
  expect(problemsOf("range: 5\nrange: 6")).toEqual(["line 2: range is there twice"]);
});

test("checkContent() has no lines for a value that comes from no text", () => {
  const reading = checkContent({}, DOCUMENT);
  expect(reading).toMatchObject({ problems: [{ path: ["range"], line: undefined }] });
});

function problemsOf(text: string): string[] {
  const reading = readDocument(text, DOCUMENT);
  const format = ({ path, line, message }: Problem) => atLine(line, `${nameOf(path)} ${message}`);
  return reading.kind === "invalid" ? reading.problems.map(format) : [];
}
