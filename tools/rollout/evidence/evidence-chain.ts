import { createHash } from "node:crypto";
import * as z from "zod";
import { canonicalJson, type Json, jsonSchema } from "./json.ts";

/** One thing that was checked, changed or measured. */
export type EvidenceRecord = {
  /** Counts from 1 without gaps. */
  sequence: number;
  /** When it was written down, in ISO 8601. */
  at: string;
  /** For example `command` or `checks`. */
  kind: string;
  data: Json;
  /** Who acted; records of earlier releases do not say. */
  who?: string;
  /** The hash of the record before, or ROOT for the first. */
  previous: string;
  /** SHA-256 over the canonical JSON of everything above. */
  hash: string;
};

/** The hash that the first record names as the one before it. */
export const ROOT = "0".repeat(64);

/** The end of a chain: whoever holds it can tell whether anything before it was altered. */
export type ChainHead = { count: number; hash: string };

const hashSchema = z.string().regex(/^[0-9a-f]{64}$/);

export const evidenceRecordSchema: z.ZodType<EvidenceRecord> = z.object({
  sequence: z.int().min(1),
  at: z.string(),
  kind: z.string(),
  data: jsonSchema,
  who: z.string().exactOptional(),
  previous: hashSchema,
  hash: hashSchema,
});

export const chainHeadSchema: z.ZodType<ChainHead> = z.object({
  count: z.int().min(0),
  hash: hashSchema,
});

export const EMPTY: ChainHead = { count: 0, hash: ROOT };

/** Makes the record that follows a head. */
export function nextRecord(
  head: ChainHead,
  content: Pick<EvidenceRecord, "at" | "kind" | "data" | "who">,
): EvidenceRecord {
  const body = { ...content, sequence: head.count + 1, previous: head.hash };
  return { ...body, hash: hashOf(body) };
}

export function headOf(records: readonly EvidenceRecord[]): ChainHead {
  const last = records.at(-1);
  return last === undefined ? EMPTY : { count: last.sequence, hash: last.hash };
}

/** The first thing that is wrong with a chain, in words; undefined when it holds. */
export function findBreak(records: readonly EvidenceRecord[]): string | undefined {
  let head = EMPTY;
  for (const record of records) {
    const { hash, ...body } = record;
    const place = `record ${head.count + 1}`;
    if (record.sequence !== head.count + 1) return `${place} is missing or out of order`;
    if (record.previous !== head.hash) return `${place} does not follow the record before it`;
    if (hashOf(body) !== hash) return `${place} was altered`;
    head = { count: record.sequence, hash };
  }
  return undefined;
}

function hashOf(body: Omit<EvidenceRecord, "hash">): string {
  return createHash("sha256").update(canonicalJson(body)).digest("hex");
}
