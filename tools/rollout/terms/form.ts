/** Tells whether a value that was read from a file has the form of a type. */
export type Form<T> = (value: unknown) => value is T;

/** One of a closed set of words. */
export function oneOf<const T extends string>(words: readonly T[]): Form<T> {
  return (value): value is T => words.some((word) => word === value);
}

export function isText(value: unknown): value is string {
  return typeof value === "string";
}

/** A number of whole things from a least one on. */
export function wholeFrom(least: number): Form<number> {
  return (value): value is number =>
    typeof value === "number" && Number.isSafeInteger(value) && value >= least;
}

/** A number that a number of seconds or milliseconds can be. */
export function isDuration(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value < Number.POSITIVE_INFINITY;
}

/** Milliseconds since 1970 that a date can be made of. */
export function isInstantMs(value: unknown): value is number {
  return typeof value === "number" && !Number.isNaN(new Date(value).getTime());
}

/** A text that a date can be made of. */
export function isInstantText(value: unknown): value is string {
  return typeof value === "string" && !Number.isNaN(Date.parse(value));
}

export function nullOr<T>(form: Form<T>): Form<T | null> {
  return (value): value is T | null => value === null || form(value);
}

/** A field that may be missing. */
export function maybe<T>(form: Form<T>): Form<T | undefined> {
  return (value): value is T | undefined => value === undefined || form(value);
}

export function listOf<T>(form: Form<T>): Form<readonly T[]> {
  return (value): value is readonly T[] => Array.isArray(value) && value.every(form);
}

/** A map with these fields; what else is in it is not looked at. */
export function mapWith<T extends object>(
  fields: Readonly<{ [Name in keyof T]-?: Form<T[Name]> }>,
): Form<T> {
  const forms: [string, Form<unknown>][] = Object.entries(fields);
  return (value): value is T => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
    const found = new Map<string, unknown>(Object.entries(value));
    return forms.every(([name, form]) => form(found.get(name)));
  };
}

/** A map in which any of these names may be, each with a value of the same form. */
export function mapOf<Name extends string, T>(
  names: readonly Name[],
  form: Form<T>,
): Form<Partial<Record<Name, T>>> {
  return (value): value is Partial<Record<Name, T>> => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
    const isKnown = oneOf(names);
    return Object.entries(value).every(([name, member]) => isKnown(name) && form(member));
  };
}

/** Decodes a JSON text; undefined when it is none, or not of that form. */
export function decodeJson<T>(text: string, form: Form<T>): T | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return form(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
