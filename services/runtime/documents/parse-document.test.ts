import { expect, test } from "vitest";
import { parseDocument } from "./parse-document.ts";

test("parseDocument() knows the line of each field and item, and of what is around a missing one", () => {
  const { content, lineOf } = parseDocument(`
edge: { url: here,
  ports: [1, 2] }
stages:
  - name: one

  - &two
    name: two
  - *two
`);
  expect(content).toEqual({
    edge: { url: "here", ports: [1, 2] },
    stages: [{ name: "one" }, { name: "two" }, { name: "two" }],
  });
  expect(lineOf(["edge", "url"])).toBe(2);
  expect(lineOf(["edge", "ports", 1])).toBe(3);
  expect(lineOf(["edge", "ports", 7])).toBe(3);
  expect(lineOf(["stages", 1, "name"])).toBe(8);
  expect(lineOf(["stages", 2, "name"])).toBe(9);
  expect(lineOf(["nowhere", "at", "all"])).toBeUndefined();
});

test("parseDocument() reads JSON as it reads YAML", () => {
  const { content, lineOf } = parseDocument('{\n  "a": {\n    "b": [true, null, 1e3]\n  }\n}\n');
  expect(content).toEqual({ a: { b: [true, null, 1000] } });
  expect(lineOf(["a", "b"])).toBe(3);
});

test("parseDocument() takes an empty text for a document that says nothing", () => {
  expect(parseDocument("")).toMatchObject({ content: null, problems: [] });
});

test.each([
  ["a field that is there twice", "a:\n  b: 1\n  c: 2\n  b: 3\n", 4, "is there twice"],
  ["a field that schemas would skip", "a: 1\n__proto__: 2\n", 2, "is no name"],
  ["an alias of nothing", "a: 1\nb: *c\n", 2, "*c is an alias of nothing before it"],
  ["a text that is no YAML", "a: {\n", 2, "Flow map in block collection"],
  ["a second document", "a: 1\n---\nb: 1\n", 2, "Source contains multiple documents"],
  ["a tag that nobody knows", "a: 1\nb: !limit 3\n", 2, "Unresolved tag"],
])("parseDocument() names the line of %s, and has no content", (_what, text, line, message) => {
  const { content, problems } = parseDocument(text);
  expect(content).toBeUndefined();
  expect(problems[0]).toMatchObject({ line, message: expect.stringContaining(message) });
});

test("parseDocument() refuses aliases that multiply into more than a machine could hold", () => {
  const rows = [..."bcdefghi"].map((name, index) => {
    const before = String.fromCharCode(name.charCodeAt(0) - 1);
    return `${name}: &${name} [${Array(9 + index)
      .fill(`*${before}`)
      .join(", ")}]`;
  });
  const { content, problems } = parseDocument(["a: &a [x]", ...rows].join("\n"));
  expect(content).toBeUndefined();
  expect(problems).toHaveLength(1);
});
