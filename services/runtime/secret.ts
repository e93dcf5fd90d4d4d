import { createHash, timingSafeEqual } from "node:crypto";
import { inspect } from "node:util";

/** A value that prints as `[redacted]` wherever it is logged or serialised. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself, for the one place that needs it. */
  reveal(): string {
    return this.#value;
  }

  /** Compares in a time that does not depend on where the values differ, or on their lengths. */
  equals(candidate: string): boolean {
    return timingSafeEqual(digest(this.#value), digest(candidate));
  }

  toString(): string {
    return "[redacted]";
  }

  toJSON(): string {
    return "[redacted]";
  }

  [inspect.custom](): string {
    return "[redacted]";
  }
}

function digest(value: string): Buffer {
  return createHash("sha256").update(value).digest();
}
