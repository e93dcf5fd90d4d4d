import { hash, timingSafeEqual } from "node:crypto";
import { inspect } from "node:util";

/** A value that prints as `[redacted]` wherever it is logged or serialised. */
export class Secret {
  readonly #value: string;
  /** Computed on the first comparison: many secrets are never compared. */
  #digest: Buffer | undefined;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself, for the one place that needs it. */
  reveal(): string {
    return this.#value;
  }

  /** Compares in a time that does not depend on where the values differ, or on their lengths. */
  equals(candidate: string): boolean {
    return this.equalsDigest(digestOf(candidate));
  }

  /** Like `equals()`, by the candidate's digest, to compare it with many secrets. */
  equalsDigest(candidate: Buffer): boolean {
    this.#digest ??= digestOf(this.#value);
    return timingSafeEqual(this.#digest, candidate);
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

/** The digest by which secrets are compared, so that all have the same length. */
export function digestOf(value: string): Buffer {
  return hash("sha256", value, "buffer");
}
