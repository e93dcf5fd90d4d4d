import * as z from "zod";
import { decodeJson } from "../../../services/runtime/documents/decode-json.ts";
import {
  type ChainHead,
  chainHeadSchema,
  type EvidenceRecord,
  evidenceRecordSchema,
  findBreak,
  headOf,
} from "./evidence-chain.ts";
import { renderEvidenceHtml } from "./evidence-html.ts";
import { canonicalJson, type Json } from "./json.ts";

const EVIDENCE_FORMAT = "portcullis-rollout-evidence/1";

export type EvidenceDocument = {
  format: typeof EVIDENCE_FORMAT;
  head: ChainHead;
  records: readonly EvidenceRecord[];
};

const evidenceDocumentSchema: z.ZodType<EvidenceDocument> = z.object({
  format: z.literal(EVIDENCE_FORMAT),
  head: chainHeadSchema,
  records: z.array(evidenceRecordSchema),
});

/** Whether a report holds, and where its chain ends. */
export type Verification = { kind: "holds"; head: ChainHead } | { kind: "broken"; reason: string };

/** Around the records in the HTML report. */
export const DATA_BEGIN = '<script type="application/json" id="evidence">';
export const DATA_END = "</script>";

/** The report for machines: canonical JSON on one line. */
export function renderEvidenceJson(records: readonly EvidenceRecord[]): string {
  return `${canonicalJson(toDocument(records))}\n`;
}

/** The report for people, which holds the one for machines. */
export function renderEvidencePage(records: readonly EvidenceRecord[]): string {
  const json = renderEvidenceJson(records).trimEnd();
  // Rendered from what a reader of the page finds in it: the order of names is part of the text.
  const { records: sorted }: EvidenceDocument = JSON.parse(json);
  // No end of a script can hide in a text.
  const data = json.replaceAll("<", "\\u003c");
  return renderEvidenceHtml(sorted, `${DATA_BEGIN}${data}${DATA_END}`);
}

/**
 * Checks a report, of either kind: the chain must hold, and the file must be, byte for byte, what
 * is written for that chain. A chain that was cut or made anew as a whole is told only by the head
 * that was noted elsewhere.
 */
export function verifyEvidence(bytes: Uint8Array, notedHash: string | undefined): Verification {
  const text = Buffer.from(bytes).toString("utf8");
  const isHtml = text.startsWith("<!doctype html>");
  const document = decodeJson(isHtml ? findData(text) : text, evidenceDocumentSchema);
  if (document === undefined) return broken("the file holds no evidence that can be read");
  const { records, head } = document;
  const reason = findBreak(records);
  if (reason !== undefined) return broken(reason);
  const end = headOf(records);
  if (end.hash !== head.hash || end.count !== head.count) {
    return broken(`the chain ends at record ${end.count}, and not where its head says`);
  }
  const original = isHtml ? renderEvidencePage(records) : renderEvidenceJson(records);
  // Bytes, not characters: many wrong bytes are read as the same replacement character.
  if (!Buffer.from(original).equals(bytes)) {
    return broken("the records hold, but what is written around them does not");
  }
  if (notedHash !== undefined && notedHash.trim().toLowerCase() !== end.hash) {
    return broken(`the chain holds, but ends at ${end.hash} and not at ${notedHash}`);
  }
  return { kind: "holds", head: end };
}

function toDocument(records: readonly EvidenceRecord[]): Json {
  return { format: EVIDENCE_FORMAT, head: headOf(records), records: [...records] };
}

function findData(html: string): string {
  const begin = html.indexOf(DATA_BEGIN) + DATA_BEGIN.length;
  return html.slice(begin, html.indexOf(DATA_END, begin));
}

function broken(reason: string): Verification {
  return { kind: "broken", reason };
}
