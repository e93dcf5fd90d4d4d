import canonicalize from "canonicalize";
import * as z from "zod";

/** What JSON can hold. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json };

/**
 * Writes a value as JSON in the one way of RFC 8785, so that equal values have equal bytes and equal
 * hashes. Throws for a number that JSON does not have.
 */
export function canonicalJson(value: Json): string {
  return canonicalize(value) ?? "null";
}

/**
 * Reduces a value to what canonical JSON can hold: absent members are left out, instants become
 * texts, and half a surrogate pair becomes U+FFFD, since RFC 8785 has no bytes for it.
 */
export function toJson(value: unknown): Json {
  const text = JSON.stringify(value, (_name, member: unknown) => {
    return typeof member === "string" ? Buffer.from(member).toString() : member;
  });
  return JSON.parse(text ?? "null");
}

/** Any value that was read from JSON; there must be one. */
export const jsonSchema = z.custom<Json>((value) => value !== undefined);
