import * as z from "zod";
import { mapSchema } from "../../runtime/documents/map-schema.ts";
import type { Policy } from "./policy.ts";

/** A charge must leave the tables of receipts some day. */
const PERIOD_MS_MAX = 366 * 86_400_000;
/** A network of all 128 bits of an address is no wider than the address. */
const PREFIX_BITS_MAX = 127;

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const DURATION = /^([1-9]\d{0,9})(ms|s|m|h|d)$/;
const NOT_A_DURATION = "must be a duration such as 30s, at most 366d";

export const duration = z
  .string(NOT_A_DURATION)
  .regex(DURATION, NOT_A_DURATION)
  .transform(readDurationMs)
  .refine((ms) => ms <= PERIOD_MS_MAX, NOT_A_DURATION);

/** A duration, aligned to the Unix epoch, or a period of the calendar. */
export const fixedPeriod = z.union([z.enum(["hour", "day", "month"]), duration], NOT_A_DURATION);

export const blockFor = duration.describe("An exhausted bucket rejects for at least this long.");

function readDurationMs(text: string): number {
  const [, digits, unit = ""] = DURATION.exec(text) ?? [];
  return Number(digits) * (UNITS_MS[unit] ?? Number.NaN);
}

export function wholeNumber(max: number) {
  const message = `must be a whole number from 1 to ${max}`;
  return z.int(message).min(1, message).max(max, message);
}

/** One of a closed set of words. */
export function word<const Words extends readonly string[]>(words: Words) {
  return z.enum(words, `must be one of ${words.join(", ")}`);
}

/** A field that other algorithms have: here it would promise something and do nothing. */
export function notFor(algorithm: Policy["algorithm"]) {
  return z.never(`is not for ${algorithm}`).optional();
}

/** A map of one policy, or inside one. */
export function fieldsOf<Shape extends z.core.$ZodShape>(
  shape: Shape,
  notMap = "must have fields",
) {
  return mapSchema(shape, { notMap, unknownField: "unknown field" });
}

/** What every policy has, whatever its algorithm. */
export function commonFields<const Algorithm extends Policy["algorithm"]>(
  algorithm: Algorithm,
  limitMax: number,
) {
  return {
    algorithm: z.literal(algorithm).describe("How requests are counted."),
    key: word(["address", "text", "address_and_text"]).describe(
      "What a bucket is for: a client address, any text, or both together.",
    ),
    limit: wholeNumber(limitMax).describe("How much a bucket gives."),
    mode: word(["enforce", "shadow", "off"])
      .default("enforce")
      .describe("enforce rejects, shadow only counts, off does nothing."),
    wider: wider(limitMax).optional().describe("A second bucket for the network of an address."),
  };
}

/** `{ prefix: 48, limit: 300 }` */
function wider(limitMax: number) {
  const shape = {
    prefix: wholeNumber(PREFIX_BITS_MAX).describe("How many bits of an IPv6 address name it."),
    limit: wholeNumber(limitMax).describe("At least what one address may take."),
  };
  return fieldsOf(shape, "must have a prefix and a limit").transform(({ prefix, limit }) => {
    return { prefixBits: prefix, limit };
  });
}
