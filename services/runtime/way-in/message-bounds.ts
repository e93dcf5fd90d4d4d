/** Bounds on the structure of one message, whatever its size in bytes. */
export type MessageBounds = {
  /** Fields, entries and values, nested ones included. */
  elementsMax: number;
  /** Entries in one list. */
  listEntriesMax: number;
};

/** Levels of nesting, far fewer than exhaust a parser's stack. */
export const DEPTH_MAX = 64;

export function tooManyElements(elementsMax: number): string {
  return `the message holds more than ${elementsMax} elements`;
}

export function tooManyEntries(field: string, listEntriesMax: number): string {
  return `${field}: holds more than ${listEntriesMax} entries`;
}

export const TOO_DEEP = `the message is nested more than ${DEPTH_MAX} levels deep`;
