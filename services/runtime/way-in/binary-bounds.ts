import { isUtf8 } from "node:buffer";
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import {
  DEPTH_MAX,
  type MessageBounds,
  TOO_DEEP,
  tooManyElements,
  tooManyEntries,
} from "./message-bounds.ts";
import { WireReader, WireType } from "./wire-reader.ts";

/**
 * Checks a message in binary against the bounds, and for everything that the parser would fail on.
 * Returns the problem; undefined if there is none. Builds nothing, so that a few bytes cannot make
 * it allocate millions of messages.
 */
export function findBinaryProblem(
  desc: DescMessage,
  bytes: Uint8Array,
  bounds: MessageBounds,
): string | undefined {
  const walk = new Walk(bytes, bounds);
  try {
    walk.message(desc, bytes.length, 0);
    return undefined;
  } catch (error) {
    if (error instanceof Malformed) return error.message;
    throw error;
  }
}

class Malformed extends Error {
  override name = "Malformed";
}

class Walk {
  readonly #reader: WireReader;
  readonly #bounds: MessageBounds;
  #elements = 0;

  constructor(bytes: Uint8Array, bounds: MessageBounds) {
    this.#reader = new WireReader(bytes, (problem) => new Malformed(problem));
    this.#bounds = bounds;
  }

  message(desc: DescMessage, end: number, depth: number): void {
    if (depth > DEPTH_MAX) throw new Malformed(TOO_DEEP);
    const fields = fieldsOf(desc);
    const entries = new Map<DescField, number>();
    while (this.#reader.at < end) {
      this.#count();
      const { number, wireType } = this.#reader.tag(end);
      const field = fields.get(number);
      if (field === undefined) this.#reader.skip(wireType, end);
      else this.#field(field, wireType, end, { depth, entries });
    }
  }

  #field(
    field: DescField,
    wireType: WireType,
    end: number,
    place: { depth: number; entries: Map<DescField, number> },
  ): void {
    const isList = field.fieldKind === "list" || field.fieldKind === "map";
    if (isList) this.#countEntry(field, place.entries);
    const expected = wireTypeOf(field);
    const isPacked =
      field.fieldKind === "list" &&
      wireType === WireType.LengthDelimited &&
      expected !== WireType.LengthDelimited;
    if (!isPacked && wireType !== expected) {
      throw new Malformed(`${field.name}: has another wire type`);
    }
    if (wireType !== WireType.LengthDelimited) {
      this.#reader.skip(wireType, end);
      return;
    }
    const last = this.#reader.length(end);
    if (isPacked) this.#packed(field, expected, last, place.entries);
    else if (field.fieldKind === "map") this.#mapEntry(field, last, place.depth + 1);
    else if (field.message !== undefined) this.message(field.message, last, place.depth + 1);
    else this.#scalarBytes(field.name, field.scalar, last);
  }

  /** A map entry: a key in field 1 and a value in field 2. */
  #mapEntry(field: DescField & { fieldKind: "map" }, end: number, depth: number): void {
    const value = field.mapKind === "message" ? field.message : undefined;
    const types = [field.mapKey, field.mapKind === "scalar" ? field.scalar : undefined];
    while (this.#reader.at < end) {
      this.#count();
      const { number, wireType } = this.#reader.tag(end);
      if (number !== 1 && number !== 2) throw new Malformed(`${field.name}: has a strange entry`);
      if (wireType !== WireType.LengthDelimited) this.#reader.skip(wireType, end);
      else {
        const last = this.#reader.length(end);
        if (number === 2 && value !== undefined) this.message(value, last, depth + 1);
        else this.#scalarBytes(field.name, types[number - 1], last);
      }
    }
  }

  #packed(
    field: DescField,
    wireType: WireType,
    end: number,
    entries: Map<DescField, number>,
  ): void {
    while (this.#reader.at < end) {
      this.#count();
      this.#countEntry(field, entries);
      this.#reader.skip(wireType, end);
    }
  }

  /** Strings must be UTF-8; bytes may be anything. */
  #scalarBytes(name: string, scalar: ScalarType | undefined, end: number): void {
    const bytes = this.#reader.take(end);
    if (scalar === ScalarType.STRING && !isUtf8(bytes))
      throw new Malformed(`${name}: is not UTF-8`);
  }

  #count(): void {
    const { elementsMax } = this.#bounds;
    if (++this.#elements > elementsMax) throw new Malformed(tooManyElements(elementsMax));
  }

  #countEntry(field: DescField, entries: Map<DescField, number>): void {
    const { listEntriesMax } = this.#bounds;
    const count = (entries.get(field) ?? 0) + 1;
    if (count > listEntriesMax) throw new Malformed(tooManyEntries(field.name, listEntriesMax));
    entries.set(field, count);
  }
}

const FIELDS = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>();

function fieldsOf(desc: DescMessage): ReadonlyMap<number, DescField> {
  const known = FIELDS.get(desc);
  if (known !== undefined) return known;
  const fields = new Map(desc.fields.map((field) => [field.number, field]));
  FIELDS.set(desc, fields);
  return fields;
}

/** How the wire carries one value of a field. */
function wireTypeOf(field: DescField): WireType {
  if (field.fieldKind === "map") return WireType.LengthDelimited;
  if (field.message !== undefined) return WireType.LengthDelimited;
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32;
    default:
      return WireType.Varint;
  }
}
