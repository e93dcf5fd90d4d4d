import { createHmac, timingSafeEqual } from "node:crypto";
import type { Secret } from "../runtime/secret.ts";
import type { Charged, Demand } from "./decision.ts";
import type { RowId } from "./store.ts";

/** What a receipt says was taken from one row. */
export type ReceiptEntry = {
  policy: string;
  isWider: boolean;
  bucketId: RowId;
  cost: number;
  leaseId?: RowId;
};

export type Receipt = { id: RowId; chargedAtMs: number; entries: readonly ReceiptEntry[] };

const ID_BYTES = 16;
const SIGNATURE_BYTES = 16;
const VERSION = 1;
/** 16 buckets of which each has two rows under two salts. */
const RECEIPT_CHARACTERS_MAX = 12_000;

/** Compact because it travels with every allowed answer. */
type Written = [
  version: number,
  id: string,
  chargedAtMs: number,
  entries: Array<[string, 0 | 1, string, number, string?]>,
];

/** Writes what was charged as a text that only this limiter's replicas could have written. */
export function writeReceipt(
  salt: Secret,
  { receiptId, chargedAtMs }: Charged,
  demands: readonly Demand[],
): string {
  const entries: Written[3] = demands.flatMap(({ target, cost, lease }) =>
    target.buckets.map(({ id, policy }): Written[3][number] => {
      const isWider = policy === target.policy ? 0 : 1;
      const entry: Written[3][number] = [policy.name, isWider, encode(id), cost];
      if (lease !== undefined) entry.push(encode(lease.id));
      return entry;
    }),
  );
  const written: Written = [VERSION, encode(receiptId), chargedAtMs, entries];
  const body = Buffer.from(JSON.stringify(written));
  return Buffer.concat([sign(salt, body), body]).toString("base64url");
}

/** Reads a receipt; undefined when nobody of ours wrote it. */
export function readReceipt(salts: readonly Secret[], text: string): Receipt | undefined {
  if (text.length > RECEIPT_CHARACTERS_MAX) return undefined;
  const bytes = Buffer.from(text, "base64url");
  if (bytes.length <= SIGNATURE_BYTES) return undefined;
  const signature = bytes.subarray(0, SIGNATURE_BYTES);
  const body = bytes.subarray(SIGNATURE_BYTES);
  if (!salts.some((salt) => timingSafeEqual(sign(salt, body), signature))) return undefined;
  const [version, id, chargedAtMs, entries] = JSON.parse(body.toString("utf8")) as Written;
  if (version !== VERSION) return undefined;
  return {
    id: decode(id),
    chargedAtMs,
    entries: entries.map(([policy, isWider, bucketId, cost, leaseId]) => ({
      policy,
      isWider: isWider === 1,
      bucketId: decode(bucketId),
      cost,
      ...(leaseId === undefined ? {} : { leaseId: decode(leaseId) }),
    })),
  };
}

function sign(salt: Secret, body: Buffer): Buffer {
  const key = `portcullis receipt ${salt.reveal()}`;
  return createHmac("sha256", key).update(body).digest().subarray(0, SIGNATURE_BYTES);
}

function encode(id: RowId): string {
  return Buffer.from(id, "latin1").toString("base64url");
}

function decode(text: string): RowId {
  return Buffer.from(text, "base64url").toString("latin1").padEnd(ID_BYTES, "\0");
}
