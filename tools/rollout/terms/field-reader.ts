/** Collects what is wrong with a document, each problem beginning with the field's name. */
export type Problems = string[];

/**
 * Reads the fields of one map of a document. Readers return a harmless value for a bad field and
 * note the problem, so that all problems are reported at once.
 */
export type FieldReader = {
  problem(field: string, message: string): void;
  /** Whether the field is there at all. */
  has(field: string): boolean;
  /** The reader of a map inside this one; of an empty one when it is missing. */
  map(field: string): FieldReader;
  /** A text that must be there unless there is a default. */
  text(field: string, defaultText?: string): string;
  /** A text, or undefined when the field is missing. */
  optional(field: string): string | undefined;
  /** A list of texts. */
  list(field: string): string[];
  /** A number within bounds. */
  number(field: string, bounds: { min: number; max: number; default: number }): number;
  /** One of a closed set of words. */
  oneOf<const T extends string>(field: string, words: readonly T[], defaultWord: T): T;
  /** An absolute http(s) URL, without a slash at its end. */
  url(field: string): string;
  /** Ends reading: fields that nobody asked for are misspelt. */
  finish(): void;
};

export function createFieldReader(value: unknown, path: string, problems: Problems): FieldReader {
  const fields = toFields(value);
  const unread = new Set(Object.keys(fields));
  const nameOf = (field: string) => (path === "" ? field : `${path}.${field}`);
  const take = (field: string): unknown => {
    unread.delete(field);
    return fields[field] ?? undefined;
  };
  const problem = (field: string, message: string) => {
    problems.push(`${nameOf(field)} ${message}`);
  };
  if (fields !== value && value != null) problems.push(`${path || "the file"} must be a map`);

  return {
    problem,

    has: (field) => fields[field] != null,

    map: (field) => createFieldReader(take(field), nameOf(field), problems),

    text(field: string, defaultText?: string): string {
      const found = take(field) ?? defaultText;
      if (typeof found === "string" && found.trim() !== "") return found;
      problem(field, found === undefined ? "is required" : "must be a text");
      return "";
    },

    optional(field: string): string | undefined {
      return fields[field] == null ? void take(field) : this.text(field);
    },

    list(field: string): string[] {
      const found = take(field) ?? [];
      const items: unknown[] = Array.isArray(found) ? found : [found];
      const texts = items.filter((item) => typeof item === "string");
      if (texts.length < items.length) problem(field, "must be a list of texts");
      return texts;
    },

    number(field: string, bounds: { min: number; max: number; default: number }): number {
      const found = take(field) ?? bounds.default;
      if (typeof found === "number" && found >= bounds.min && found <= bounds.max) return found;
      problem(field, `must be a number from ${bounds.min} to ${bounds.max}`);
      return bounds.default;
    },

    oneOf<const T extends string>(field: string, words: readonly T[], defaultWord: T): T {
      const found = take(field) ?? defaultWord;
      const word = words.find((candidate) => candidate === found);
      if (word === undefined) problem(field, `must be one of ${words.join(", ")}`);
      return word ?? defaultWord;
    },

    url(field: string): string {
      const found = this.text(field);
      if (found === "") return "";
      const scheme = URL.canParse(found) ? new URL(found).protocol : "";
      if (scheme !== "http:" && scheme !== "https:") problem(field, "must be an http or https URL");
      return found.replace(/\/+$/, "");
    },

    finish(): void {
      for (const field of unread) problem(field, "is not known here");
    },
  };
}

function toFields(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  return value as Readonly<Record<string, unknown>>;
}
