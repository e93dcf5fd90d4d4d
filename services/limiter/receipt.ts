import { timingSafeEqual } from "node:crypto";
import type { Secret } from "../runtime/secret.ts";
import type { Charged, Demand } from "./decision.ts";
import { createHmacSha256 } from "./hmac-sha256.ts";
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

// Signature, version, id, instant, then for each row: flags, the length and text of the policy's
// name, the row's id, the cost and, when flagged, the lease's id.

const ID_BYTES = 16;
const SIGNATURE_BYTES = 16;
const INSTANT_BYTES = 6;
const COST_BYTES = 4;
const VERSION = 1;
const HEADER_BYTES = SIGNATURE_BYTES + 1 + ID_BYTES + INSTANT_BYTES;
const ENTRY_BYTES = 2 + ID_BYTES + COST_BYTES;
const FLAG_WIDER = 1;
const FLAG_LEASE = 2;
/** 16 buckets of which each has two rows under two salts, with the longest names. */
const RECEIPT_CHARACTERS_MAX = 12_000;

/** Writes and reads receipts: texts that only replicas with the same salt could have written. */
export class Receipts {
  /** The one that signs first; while salts change, the other one too. */
  readonly #signers: ReadonlyArray<(body: Uint8Array) => string>;

  constructor(salts: readonly Secret[]) {
    this.#signers = salts.map((salt) => createHmacSha256(`portcullis receipt ${salt.reveal()}`));
  }

  /** Names what was charged. The same charge always gives the same text. */
  write({ receiptId, chargedAtMs, demands }: Charged): string {
    const buffer = Buffer.allocUnsafe(HEADER_BYTES + entriesBytes(demands));
    let offset = buffer.writeUInt8(VERSION, SIGNATURE_BYTES);
    offset += buffer.write(receiptId, offset, ID_BYTES, "latin1");
    offset = buffer.writeUIntBE(chargedAtMs, offset, INSTANT_BYTES);
    for (const { target, cost, lease } of demands) {
      for (const { id, policy } of target.buckets) {
        const wider = policy === target.policy ? 0 : FLAG_WIDER;
        offset = buffer.writeUInt8(wider | (lease === undefined ? 0 : FLAG_LEASE), offset);
        offset = buffer.writeUInt8(policy.name.length, offset);
        offset += buffer.write(policy.name, offset, "latin1");
        offset += buffer.write(id, offset, ID_BYTES, "latin1");
        offset = buffer.writeUInt32BE(cost, offset);
        if (lease !== undefined) offset += buffer.write(lease.id, offset, ID_BYTES, "latin1");
      }
    }
    const [sign] = this.#signers;
    if (sign === undefined) throw new Error("receipts need a salt");
    buffer.write(sign(buffer.subarray(SIGNATURE_BYTES)), 0, SIGNATURE_BYTES, "hex");
    return buffer.toString("base64url");
  }

  /** Reads a receipt; undefined when nobody of ours wrote it. */
  read(text: string): Receipt | undefined {
    if (text.length > RECEIPT_CHARACTERS_MAX) return undefined;
    const bytes = Buffer.from(text, "base64url");
    if (bytes.length < HEADER_BYTES) return undefined;
    const signature = bytes.subarray(0, SIGNATURE_BYTES);
    const body = bytes.subarray(SIGNATURE_BYTES);
    const isOurs = this.#signers.some((sign) => {
      const expected = Buffer.from(sign(body), "hex").subarray(0, SIGNATURE_BYTES);
      return timingSafeEqual(expected, signature);
    });
    if (!isOurs) return undefined;
    if (bytes[SIGNATURE_BYTES] !== VERSION) return undefined;
    return {
      id: bytes.toString("latin1", SIGNATURE_BYTES + 1, SIGNATURE_BYTES + 1 + ID_BYTES),
      chargedAtMs: bytes.readUIntBE(HEADER_BYTES - INSTANT_BYTES, INSTANT_BYTES),
      entries: readEntries(bytes),
    };
  }
}

function entriesBytes(demands: readonly Demand[]): number {
  let bytes = 0;
  for (const { target, lease } of demands) {
    const entry = ENTRY_BYTES + target.policy.name.length + (lease === undefined ? 0 : ID_BYTES);
    bytes += target.buckets.length * entry;
  }
  return bytes;
}

/** Only what we signed is read, so it holds whole entries. */
function readEntries(bytes: Buffer): ReceiptEntry[] {
  const entries: ReceiptEntry[] = [];
  let offset = HEADER_BYTES;
  const take = (length: number) => {
    offset += length;
    return bytes.toString("latin1", offset - length, offset);
  };
  while (offset < bytes.length) {
    const flags = bytes.readUInt8(offset);
    const nameLength = bytes.readUInt8(offset + 1);
    offset += 2;
    const policy = take(nameLength);
    const bucketId = take(ID_BYTES);
    const cost = bytes.readUInt32BE(offset);
    offset += COST_BYTES;
    const isWider = (flags & FLAG_WIDER) !== 0;
    const lease = (flags & FLAG_LEASE) === 0 ? {} : { leaseId: take(ID_BYTES) };
    entries.push({ policy, isWider, bucketId, cost, ...lease });
  }
  return entries;
}
