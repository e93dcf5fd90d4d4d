import type * as z from "zod";
import { checkContent, type Reading } from "./check-content.ts";
import { parseDocument } from "./parse-document.ts";

/**
 * Reads a text of YAML or JSON by the schema of a map; names every problem, each with its line. An
 * empty text is a map without fields. `prepare` changes the plain value before it is checked.
 */
export function readDocument<Schema extends z.ZodType>(
  text: string,
  schema: Schema,
  prepare: (content: unknown) => unknown = (content) => content,
): Reading<z.output<Schema>> {
  const { content, lineOf, problems } = parseDocument(text);
  if (problems.length > 0) return { kind: "invalid", problems };
  return checkContent(prepare(content ?? {}), schema, lineOf);
}
