/** What JSON can hold. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json };

/**
 * The one way to write a value as JSON, as in RFC 8785: no space, names in the order of their UTF-16
 * code units, numbers and texts as ECMAScript writes them. Equal values give equal bytes, so that
 * hashes can be compared.
 */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
    return `{${members.join(",")}}`;
  }
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new RangeError("JSON has no such number");
  }
  return JSON.stringify(value);
}

/** Whether a value that was read from JSON is there at all. */
export function isJson(value: unknown): value is Json {
  return value !== undefined;
}

/** Reduces a value to what JSON can hold: absent members go, instants become texts. */
export function toJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value) ?? "null");
}
