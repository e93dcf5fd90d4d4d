/** The wire types of the binary format. Groups are not supported. */
export const WireType = { Varint: 0, Bit64: 1, LengthDelimited: 2, Bit32: 5 } as const;

export type WireType = (typeof WireType)[keyof typeof WireType];

/** A varint carries seven bits a byte, and 64 bits at most. */
const VARINT_BYTES_MAX = 10;
const BIT64_BYTES = 8;
const BIT32_BYTES = 4;

/** Walks over the binary format without building messages. */
export class WireReader {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #fail: (problem: string) => Error;

  constructor(bytes: Uint8Array, fail: (problem: string) => Error) {
    this.#bytes = bytes;
    this.#fail = fail;
  }

  tag(end: number): { number: number; wireType: WireType } {
    const tag = this.#varint32(end);
    const wireType = tag & 7;
    const number = tag >>> 3;
    if (number === 0 || !isWireType(wireType)) throw this.#fail("the message has a strange tag");
    return { number, wireType };
  }

  /** Reads a length. Returns the position where the value with that length ends. */
  length(end: number): number {
    const length = this.#varint32(end);
    const last = this.at + length;
    if (last > end) throw this.#fail("the message is cut off");
    return last;
  }

  take(end: number): Uint8Array {
    const bytes = this.#bytes.subarray(this.at, end);
    this.at = end;
    return bytes;
  }

  skip(wireType: WireType, end: number): void {
    switch (wireType) {
      case WireType.Varint:
        this.#skipVarint(end);
        break;
      case WireType.Bit64:
        this.at += BIT64_BYTES;
        break;
      case WireType.Bit32:
        this.at += BIT32_BYTES;
        break;
      case WireType.LengthDelimited:
        this.at = this.length(end);
        break;
    }
    if (this.at > end) throw this.#fail("the message is cut off");
  }

  #skipVarint(end: number): void {
    const last = Math.min(end, this.at + VARINT_BYTES_MAX);
    while (this.at < last) if ((this.#bytes[this.at++] ?? 0) < 0x80) return;
    throw this.#fail("the message has a number that does not end");
  }

  /** Tags and lengths have 32 bits. */
  #varint32(end: number): number {
    let value = 0;
    for (let shift = 0; shift < 35 && this.at < end; shift += 7) {
      const byte = this.#bytes[this.at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break;
        return value;
      }
    }
    throw this.#fail("the message has a number that does not end");
  }
}

function isWireType(value: number): value is WireType {
  return value === 0 || value === 1 || value === 2 || value === 5;
}
