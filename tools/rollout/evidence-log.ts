import { truncate } from "node:fs/promises";
import type { Json } from "./canonical-json.ts";
import { canonicalJson } from "./canonical-json.ts";
import { appendDurably, readIfThere, writeDurably } from "./durable-file.ts";
import {
  type ChainHead,
  EMPTY,
  type EvidenceRecord,
  findBreak,
  headOf,
  nextRecord,
} from "./evidence-chain.ts";
import { acquireLock } from "./process-lock.ts";
import type { StateFiles } from "./state-files.ts";

/** What the log holds and where it should end. */
export type EvidenceReading = { records: readonly EvidenceRecord[]; head: ChainHead };

/** Thrown when the log on disk does not hold; nothing is added to a broken chain. */
export class BrokenEvidenceError extends Error {
  override name = "BrokenEvidenceError";
}

/** Appending takes milliseconds; a holder that lives longer hangs. */
const LOCK_WAIT_MS = 10_000;

/** Adds a record behind the last one. When this returns, the record survives a power cut. */
export async function appendEvidence(
  files: StateFiles,
  content: { kind: string; data: Json; nowMs: number },
): Promise<ChainHead> {
  const lock = await acquireLock(files.evidenceLock, {
    purpose: "writing evidence",
    waitMs: LOCK_WAIT_MS,
  });
  try {
    const { head } = await readEvidence(files, "mend");
    const record = nextRecord(head, {
      at: new Date(content.nowMs).toISOString(),
      kind: content.kind,
      data: content.data,
    });
    await appendDurably(files.evidence, `${canonicalJson(record)}\n`);
    const newHead = { count: record.sequence, hash: record.hash };
    await writeDurably(files.evidenceHead, canonicalJson(newHead));
    return newHead;
  } finally {
    await lock.release();
  }
}

/**
 * Reads the whole log and makes sure that it holds. A crash between the log and the head leaves at
 * most one record more in the log than the head tells of, or a last line that is not whole; that is
 * mended when writing. Less than the head tells of is never a crash.
 */
export async function readEvidence(
  files: StateFiles,
  torn: "mend" | "leave" = "leave",
): Promise<EvidenceReading> {
  const text = (await readIfThere(files.evidence)) ?? "";
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  if (whole.length < text.length && torn === "mend") {
    await truncate(files.evidence, Buffer.byteLength(whole));
  }
  const records = whole
    .split("\n")
    .filter((line) => line !== "")
    .map(decodeRecord);
  const noted = decodeHead(await readIfThere(files.evidenceHead));
  const broken = findBreak(records) ?? findMissing(records, noted);
  if (broken !== undefined) throw new BrokenEvidenceError(`${files.evidence}: ${broken}`);
  return { records, head: headOf(records) };
}

function findMissing(records: readonly EvidenceRecord[], noted: ChainHead): string | undefined {
  const here = noted.count === 0 ? EMPTY.hash : records[noted.count - 1]?.hash;
  if (here === noted.hash) return undefined;
  return here === undefined
    ? `ends at record ${records.length}, but ${noted.count} were written`
    : `record ${noted.count} is not the one that was written`;
}

function decodeRecord(line: string, index: number): EvidenceRecord {
  const record = decode<EvidenceRecord>(line);
  // Canonical, so that not even a space can change unnoticed.
  if (record !== undefined && canonicalJson(record) === line) return record;
  throw new BrokenEvidenceError(`record ${index + 1} was altered`);
}

function decodeHead(text: string | undefined): ChainHead {
  if (text === undefined) return EMPTY;
  const head = decode<ChainHead>(text);
  if (head !== undefined && canonicalJson(head) === text) return head;
  throw new BrokenEvidenceError("the head of the evidence was altered");
}

function decode<Value>(text: string): Value | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
