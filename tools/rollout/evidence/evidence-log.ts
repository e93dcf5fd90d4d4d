import { decodeJson } from "../../../services/runtime/documents/decode-json.ts";
import { openTrusted } from "../../trust/trusted-file.ts";
import {
  appendDurably,
  readBytesIfThere,
  readIfThere,
  writeDurably,
} from "../files/durable-file.ts";
import { acquireLock } from "../files/process-lock.ts";
import type { StateFiles } from "../files/state-files.ts";
import {
  type ChainHead,
  chainHeadSchema,
  EMPTY,
  type EvidenceRecord,
  evidenceRecordSchema,
  findBreak,
  headOf,
  nextRecord,
} from "./evidence-chain.ts";
import type { Json } from "./json.ts";
import { canonicalJson } from "./json.ts";

/** The records of the log, and the head at which it should end. */
export type EvidenceReading = { records: readonly EvidenceRecord[]; head: ChainHead };

/** Thrown when the log on disk does not hold; nothing is added to a broken chain. */
export class BrokenEvidenceError extends Error {
  override name = "BrokenEvidenceError";

  constructor(message: string) {
    super(`${message}; see "Evidence that does not hold" in RUNBOOK.md`);
  }
}

/** Appending takes milliseconds; a holder that lives longer hangs. */
const LOCK_WAIT_MS = 10_000;

/** Adds a record behind the last one. When this returns, the record survives a power cut. */
export async function appendEvidence(
  files: StateFiles,
  content: { kind: string; data: Json; who?: string; nowMs: number },
): Promise<ChainHead> {
  const lock = await acquireLock(files.evidenceLock, {
    purpose: "writing evidence",
    waitMs: LOCK_WAIT_MS,
  });
  try {
    const head = await mendEvidence(files);
    const record = nextRecord(head, {
      at: new Date(content.nowMs).toISOString(),
      kind: content.kind,
      data: content.data,
      ...(content.who !== undefined && { who: content.who }),
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
 * mended when writing. Less than the head tells of is never a crash, nor is a head that is gone.
 */
export async function readEvidence(files: StateFiles): Promise<EvidenceReading> {
  const { records, head } = await readLog(files);
  return { records, head };
}

/** Makes the log end with a whole record that its head tells of, and answers that head. */
async function mendEvidence(files: StateFiles): Promise<ChainHead> {
  const { head, noted, wholeBytes, isTorn } = await readLog(files);
  if (isTorn) await truncateEvidence(files, wholeBytes);
  // Before anything is added: a log two records ahead of its head could have been cut.
  if (noted.count < head.count) await writeDurably(files.evidenceHead, canonicalJson(head));
  return head;
}

async function truncateEvidence(files: StateFiles, bytes: number): Promise<void> {
  const handle = await openTrusted(files.evidence, "read-write");
  try {
    await handle.truncate(bytes);
  } finally {
    await handle.close();
  }
}

async function readLog(files: StateFiles) {
  const bytes = (await readBytesIfThere(files.evidence)) ?? Buffer.alloc(0);
  const whole = bytes.subarray(0, bytes.lastIndexOf("\n") + 1);
  const records = linesOf(whole).map((line, index) => decodeRecord(files, line, index));
  const noted = decodeHead(files, await readIfThere(files.evidenceHead));
  const broken = findBreak(records) ?? findMissing(records, noted);
  if (broken !== undefined) throw new BrokenEvidenceError(`${files.evidence}: ${broken}`);
  const isTorn = whole.length < bytes.length;
  return { records, head: headOf(records), noted, wholeBytes: whole.length, isTorn };
}

function findMissing(records: readonly EvidenceRecord[], noted: ChainHead): string | undefined {
  const here = noted.count === 0 ? EMPTY.hash : records[noted.count - 1]?.hash;
  if (here === undefined) {
    return `ends at record ${records.length}, but ${noted.count} were written`;
  }
  if (here !== noted.hash) return `record ${noted.count} is not the one that was written`;
  if (records.length <= noted.count + 1) return undefined;
  return `ends at record ${records.length}, but its head is gone or tells of ${noted.count}`;
}

function linesOf(whole: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let begin = 0; begin < whole.length; ) {
    const end = whole.indexOf("\n", begin);
    lines.push(whole.subarray(begin, end));
    begin = end + 1;
  }
  return lines;
}

function decodeRecord(files: StateFiles, line: Buffer, index: number): EvidenceRecord {
  const record = decodeJson(line.toString("utf8"), evidenceRecordSchema);
  // Canonical and byte for byte, so that neither a space nor half a character changes unnoticed.
  if (record !== undefined && Buffer.from(canonicalJson(record)).equals(line)) return record;
  throw new BrokenEvidenceError(`${files.evidence}: record ${index + 1} was altered`);
}

function decodeHead(files: StateFiles, text: string | undefined): ChainHead {
  if (text === undefined) return EMPTY;
  const head = decodeJson(text, chainHeadSchema);
  if (head !== undefined && canonicalJson(head) === text) return head;
  throw new BrokenEvidenceError(`${files.evidenceHead}: the head of the evidence was altered`);
}
