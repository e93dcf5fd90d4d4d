/** The names of fields and the indices of list items that lead to a value. */
export type Path = readonly PropertyKey[];

/** The line of a value; of the closest value around it where it is missing. */
export type LineOf = (path: Path) => number | undefined;

/** One thing that is wrong with a document. */
export type Problem = {
  path: Path;
  /** Undefined for a value that comes from no text. */
  line: number | undefined;
  message: string;
  /** Set where the schema knows no field of this name. */
  isUnknownField?: boolean;
};

/** The fields of a path, joined by dots. A problem of a list item is told of the list. */
export function nameOf(path: Path): string {
  return path.filter((step) => typeof step === "string").join(".");
}

/** `line 3: text`; only the text where no line is known. */
export function atLine(line: number | undefined, text: string): string {
  return line === undefined ? text : `line ${line}: ${text}`;
}

/** Sorts problems as they stand in the file. */
export function inFileOrder(problems: readonly Problem[]): Problem[] {
  return problems.toSorted((one, other) => (one.line ?? 0) - (other.line ?? 0));
}
