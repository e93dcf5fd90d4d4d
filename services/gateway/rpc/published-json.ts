import { toJson } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";

/** The largest update, as JSON text in UTF-8. */
export const UPDATE_BYTES_MAX = 64 * 1024;

type PublishedJson = { kind: "json"; text: string } | { kind: "problem"; problem: string };

/** Reads the JSON of a publish, exactly as it is sent to subscribers, or what is wrong with it. */
export function readPublishedJson(request: {
  jsonText: string;
  json?: Value | undefined;
}): PublishedJson {
  const { jsonText, json } = request;
  if (jsonText === "" && json === undefined) return problem("is required");
  const text = jsonText === "" && json !== undefined ? textOf(json) : jsonText;
  // A binary Value can hold what JSON cannot: infinities, and a value without a kind.
  if (text === undefined) return problem("cannot be written as JSON");
  if (Buffer.byteLength(text) > UPDATE_BYTES_MAX) {
    return problem(`holds more than ${UPDATE_BYTES_MAX} bytes`);
  }
  // A lone surrogate cannot be encoded in UTF-8.
  if (!isJson(text) || /\p{Surrogate}/u.test(text)) return problem("is not JSON");
  return { kind: "json", text };
}

function problem(what: string): PublishedJson {
  return { kind: "problem", problem: `json ${what}` };
}

function textOf(json: Value): string | undefined {
  try {
    return JSON.stringify(toJson(ValueSchema, json));
  } catch {
    return undefined;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
