import { timingSafeEqual } from "node:crypto";
import type { Secret } from "../../runtime/secret.ts";
import type { Charged, Demand } from "../decisions/decision.ts";
import type { Bucket } from "../engine/bucket.ts";
import type { Charge } from "../rules/decide.ts";
import type { Mark } from "../rules/mark.ts";
import { createHmacSha256 } from "../store/hmac-sha256.ts";
import type { RowId } from "../store/store.ts";

/** What a receipt says was taken from one row. */
export type ReceiptEntry = {
  policy: string;
  isShadow: boolean;
  /** How wide the network of the row is, when it is not the row of the key itself. */
  widerBits: number | undefined;
  bucketId: RowId;
  charge: Charge;
};

export type Receipt = { id: RowId; chargedAtMs: number; entries: readonly ReceiptEntry[] };

// Signature, version, id, instant, then for each row: flags, the length and text of the policy's
// name, the row's id, the cost, the mark and, when flagged, how wide the network is and the
// lease's id.

const ID_BYTES = 16;
const SIGNATURE_BYTES = 16;
const INSTANT_BYTES = 6;
const COST_BYTES = 4;
/** Instants and units; what a double holds where it may be more. */
const MARK_BYTES = 6 + 8 + 6;
const VERSION = 2;
/** Of older programs: names no marks, so that nothing can be given back for it. */
const VERSION_WITHOUT_MARKS = 1;
const HEADER_BYTES = SIGNATURE_BYTES + 1 + ID_BYTES + INSTANT_BYTES;
const ENTRY_BYTES = 2 + ID_BYTES + COST_BYTES + MARK_BYTES;
const WIDER_BYTES = 1;
const FLAG_WIDER = 1;
const FLAG_LEASE = 2;
const FLAG_SHADOW = 4;
/** 16 buckets of which each has two rows under two salts, with the longest names. */
const RECEIPT_CHARACTERS_MAX = 16_000;

/** Writes and reads receipts: texts that only replicas with the same salt could have written. */
export class Receipts {
  /** The one that signs first; while salts change, the other one too. */
  readonly #signers: ReadonlyArray<(body: Uint8Array) => string>;

  constructor(salts: readonly Secret[]) {
    this.#signers = salts.map((salt) => createHmacSha256(`portcullis receipt ${salt.reveal()}`));
  }

  /** Names what was charged. The same charge always gives the same text. */
  write({ receiptId, chargedAtMs, demands, marks }: Charged): string {
    const buffer = Buffer.allocUnsafe(HEADER_BYTES + entriesBytes(demands));
    let offset = buffer.writeUInt8(VERSION, SIGNATURE_BYTES);
    offset += buffer.write(receiptId, offset, ID_BYTES, "latin1");
    offset = buffer.writeUIntBE(chargedAtMs, offset, INSTANT_BYTES);
    let row = 0;
    for (const demand of demands) {
      for (const bucket of demand.target.buckets) {
        const mark = marks[row++];
        if (mark === undefined) throw new Error("a charge without a mark");
        offset = writeEntry(buffer, offset, { demand, bucket, mark });
      }
    }
    const [sign] = this.#signers;
    if (sign === undefined) throw new Error("receipts need a salt");
    buffer.write(sign(buffer.subarray(SIGNATURE_BYTES, offset)), 0, SIGNATURE_BYTES, "hex");
    return buffer.toString("base64url", 0, offset);
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
    const version = bytes[SIGNATURE_BYTES];
    if (version !== VERSION && version !== VERSION_WITHOUT_MARKS) return undefined;
    return {
      id: bytes.toString("latin1", SIGNATURE_BYTES + 1, SIGNATURE_BYTES + 1 + ID_BYTES),
      chargedAtMs: bytes.readUIntBE(HEADER_BYTES - INSTANT_BYTES, INSTANT_BYTES),
      entries: version === VERSION ? readEntries(bytes) : [],
    };
  }
}

function entriesBytes(demands: readonly Demand[]): number {
  let bytes = 0;
  for (const { target, lease } of demands) {
    const leaseBytes = lease === undefined ? 0 : ID_BYTES;
    const entry = ENTRY_BYTES + target.policy.name.length + leaseBytes + WIDER_BYTES;
    bytes += target.buckets.length * entry;
  }
  return bytes;
}

function writeEntry(
  buffer: Buffer,
  start: number,
  { demand, bucket, mark }: { demand: Demand; bucket: Bucket; mark: Mark },
): number {
  const { target, cost, lease } = demand;
  const { id, policy } = bucket;
  const isWider = policy !== target.policy;
  const flags =
    (isWider ? FLAG_WIDER : 0) |
    (lease === undefined ? 0 : FLAG_LEASE) |
    (policy.mode === "shadow" ? FLAG_SHADOW : 0);
  let offset = buffer.writeUInt8(flags, start);
  offset = buffer.writeUInt8(policy.name.length, offset);
  offset += buffer.write(policy.name, offset, "latin1");
  offset += buffer.write(id, offset, ID_BYTES, "latin1");
  offset = buffer.writeUInt32BE(cost, offset);
  offset = buffer.writeUIntBE(mark.beginning, offset, 6);
  offset = buffer.writeDoubleBE(mark.at, offset);
  offset = buffer.writeUIntBE(mark.unit, offset, 6);
  if (isWider) offset = buffer.writeUInt8(policy.wider?.prefixBits ?? 0, offset);
  if (lease !== undefined) offset += buffer.write(lease.id, offset, ID_BYTES, "latin1");
  return offset;
}

/** Only what we signed is read, so it holds whole entries. */
function readEntries(bytes: Buffer): ReceiptEntry[] {
  const entries: ReceiptEntry[] = [];
  let offset = HEADER_BYTES;
  const skip = (length: number) => {
    offset += length;
    return offset - length;
  };
  const text = (length: number) => bytes.toString("latin1", skip(length), offset);
  while (offset < bytes.length) {
    const flags = bytes.readUInt8(skip(1));
    const policy = text(bytes.readUInt8(skip(1)));
    const bucketId = text(ID_BYTES);
    const cost = bytes.readUInt32BE(skip(COST_BYTES));
    const mark = {
      beginning: bytes.readUIntBE(skip(6), 6),
      at: bytes.readDoubleBE(skip(8)),
      unit: bytes.readUIntBE(skip(6), 6),
    };
    const isShadow = (flags & FLAG_SHADOW) !== 0;
    const widerBits = (flags & FLAG_WIDER) === 0 ? undefined : bytes.readUInt8(skip(WIDER_BYTES));
    const lease = (flags & FLAG_LEASE) === 0 ? {} : { leaseId: text(ID_BYTES) };
    entries.push({ policy, isShadow, widerBits, bucketId, charge: { cost, mark, ...lease } });
  }
  return entries;
}
