import type * as z from "zod";

/**
 * Decodes a JSON text that a program wrote; undefined when it is no JSON, or has another form. The
 * value is as it was written, with fields that the schema does not name.
 */
export function decodeJson<Value>(text: string, schema: z.ZodType<Value>): Value | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return fits(value, schema) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a value has the form that a schema describes; only for schemas that change nothing. */
export function fits<Value>(value: unknown, schema: z.ZodType<Value>): value is Value {
  return schema.safeParse(value).success;
}
