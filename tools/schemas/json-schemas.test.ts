import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { expect, test } from "vitest";
import * as z from "zod";
import { parseDocument } from "../../services/runtime/documents/parse-document.ts";
import { formatSchema, JSON_SCHEMAS } from "./json-schemas.ts";

const FOLDER = "deploy/schemas";

test("the committed schemas are those that `npm run generate` writes", () => {
  expect(readdirSync(FOLDER).toSorted()).toEqual(Object.keys(JSON_SCHEMAS).toSorted());
  for (const [name, schema] of Object.entries(JSON_SCHEMAS)) {
    expect(readFileSync(join(FOLDER, name), "utf8"), name).toBe(formatSchema(schema));
  }
});

test.each([
  ["services/limiter/policies.yaml", "policies.json"],
  ["tools/edge/defaults.yaml", "edge.json"],
  ["RUNBOOK.md", "rollout.json"],
])("%s names its schema in the first line, and fits it", (file, name) => {
  const text = yamlOf(file);
  const [, path = ""] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text) ?? [];
  expect(resolve(dirname(file), path)).toBe(resolve(FOLDER, name));
  expect(problemsOf(name, text)).toEqual([]);
});

test("the schemas refuse what the programs refuse, field by field", () => {
  const policy = "{ key: text, algorithm: fixed_window, limit: 1, period: day, burst: 2 }";
  expect(problemsOf("policies.json", `policies: { a: ${policy} }`)).not.toEqual([]);
  expect(problemsOf("policies.json", "policies: { 'A B': { key: text } }")).not.toEqual([]);
  expect(problemsOf("edge.json", "listen: 70000")).toEqual(["listen"]);
  expect(problemsOf("edge.json", "colour: blue\ntls: { key: /key }")).toEqual([
    "tls.certificate",
    "colour",
  ]);
  const missing = ["edge", "services", "prometheus", "canary", "stages"];
  expect(problemsOf("rollout.json", "notify: ./page")).toEqual(missing);
});

/** The whole file; of a page its first block of YAML. */
function yamlOf(file: string): string {
  const text = readFileSync(file, "utf8");
  return file.endsWith(".md") ? (/^```yaml\n([\s\S]*?)^```/m.exec(text)?.[1] ?? "") : text;
}

/** The fields that a reader of JSON Schema, which knows nothing of ours, finds wrong. */
function problemsOf(name: string, text: string): string[] {
  const schema = z.fromJSONSchema(JSON.parse(readFileSync(join(FOLDER, name), "utf8")));
  const { error } = schema.safeParse(parseDocument(text).content);
  return (error?.issues ?? []).flatMap((issue) => {
    return issue.code === "unrecognized_keys" ? issue.keys : issue.path.join(".");
  });
}
