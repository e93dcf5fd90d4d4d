import { createHash } from "node:crypto";
import { type Form, isText, mapWith, maybe, wholeFrom } from "../terms/form.ts";
import { canonicalJson, isJson, type Json } from "./json.ts";

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

const HASH = /^[0-9a-f]{64}$/;
const isHash: Form<string> = (value): value is string => isText(value) && HASH.test(value);

export const isEvidenceRecord = mapWith<EvidenceRecord>({
  sequence: wholeFrom(1),
  at: isText,
  kind: isText,
  data: isJson,
  who: maybe(isText),
  previous: isHash,
  hash: isHash,
});

export const isChainHead = mapWith<ChainHead>({ count: wholeFrom(0), hash: isHash });

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
