/** A map of a JSON text whose fields nobody has looked at. */
export type JsonRecord = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** A field that is a map; an empty one where it is not. */
export function fieldOf(value: JsonRecord, name: string): JsonRecord {
  const field = value[name];
  return isRecord(field) ? field : {};
}

/** Every text that stands under a name, alone or in a list, at any depth. */
export function textsIn(value: unknown, name: string): string[] {
  if (isList(value)) return value.flatMap((one) => textsIn(one, name));
  if (!isRecord(value)) return [];
  return Object.entries(value).flatMap(([key, field]) => {
    const here = key === name ? [field].flat().filter((one) => typeof one === "string") : [];
    return [...here, ...textsIn(field, name)];
  });
}
