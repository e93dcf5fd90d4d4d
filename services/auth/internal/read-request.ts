import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";

/** A message that was read from JSON member by member. */
export type ReadRequest<T> = {
  message: T;
  /** The members that the request has, by their JSON names. */
  given: ReadonlySet<string>;
  /** Those of `given` that do not fit their field; the message lacks them. */
  malformed: ReadonlySet<string>;
};

/** Parses a JSON object; an empty body is the empty object. Undefined if it is anything else. */
export function parseObject(body: Buffer): JsonObject | undefined {
  if (body.length === 0) return {};
  try {
    const value: JsonValue = JSON.parse(body.toString("utf8"), withWellFormedText);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Replaces lone surrogates by U+FFFD, as decoding does with invalid UTF-8: messages refuse them. */
function withWellFormedText(_key: string, value: unknown): unknown {
  return typeof value === "string" ? Buffer.from(value).toString("utf8") : value;
}

/**
 * Reads the members that a message has fields for, and ignores others. The caller decides which
 * malformed members matter, so that an answer depends on no member that it does not use.
 */
export function readRequest<Desc extends DescMessage>(
  schema: Desc,
  body: JsonObject,
): ReadRequest<MessageShape<Desc>> {
  const given = new Set<string>();
  const malformed = new Set<string>();
  const wellFormed: JsonObject = {};
  for (const field of schema.fields) {
    const name = field.jsonName;
    const value = body[name];
    if (value === undefined) continue;
    given.add(name);
    if (isCanonical(schema, field, value)) wellFormed[name] = value;
    else malformed.add(name);
  }
  return { message: fromJson(schema, wellFormed), given, malformed };
}

/**
 * Whether the field, once read, is written as the same value again. Reading alone also takes texts
 * for numbers, and null for any field; a caller that sends those has made a mistake.
 */
function isCanonical(schema: DescMessage, field: DescField, value: JsonValue): boolean {
  const name = field.jsonName;
  try {
    const message = fromJson(schema, { [name]: value });
    const written = toJson(schema, message, { alwaysEmitImplicit: true });
    return isObject(written) && JSON.stringify(written[name]) === JSON.stringify(value);
  } catch {
    return false;
  }
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
