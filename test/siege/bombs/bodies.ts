import type { DescMessage } from "@bufbuild/protobuf";
import { type FieldPath, fieldPaths, isList } from "./paths.ts";

/** A message that is cheap to create and expensive to read. */
export type Bomb = {
  name: string;
  codec: "json" | "proto";
  /** The approximate length before compression. */
  build(bytes: number): Buffer;
};

/** A text repeated inside a JSON value, and the text around it. */
const JSON_FILLINGS: readonly { name: string; open: string; piece: string; close: string }[] = [
  { name: "empty objects", open: "[{}", piece: ",{}", close: "]" },
  { name: "empty lists", open: "[[]", piece: ",[]", close: "]" },
  { name: "nulls", open: "[null", piece: ",null", close: "]" },
  { name: "empty texts", open: '[""', piece: ',""', close: "]" },
  { name: "numbers", open: "[0", piece: ",0", close: "]" },
  { name: "same keys", open: '{"a":0', piece: ',"a":0', close: "}" },
  { name: "unfinished lists", open: "", piece: "[", close: "" },
  { name: "unfinished objects", open: "", piece: '{"a":', close: "" },
  { name: "a long text", open: '"', piece: "x", close: '"' },
  { name: "escapes", open: '"', piece: "\\u0000", close: '"' },
  { name: "a huge number", open: "1", piece: "9", close: "" },
  { name: "a huge fraction", open: "1.", piece: "9", close: "e999999999" },
  { name: "spaces", open: "", piece: " ", close: "0" },
];

/** Protobuf fields, by their repeated content. */
const WIRE = { varint: 0, bytes: 2, groupStart: 3 } as const;
/** A field number that no message of ours has. */
const UNKNOWN_FIELD = 1_000;

/** Returns every bomb for a message: each filling in each field, and in unknown fields. */
export function bombsFor(message: DescMessage | undefined): Bomb[] {
  const paths = message === undefined ? [] : fieldPaths(message);
  return [
    ...jsonBombs(undefined),
    { name: "many keys", codec: "json", build: manyKeys },
    { name: "many unknown objects", codec: "json", build: manyUnknownObjects },
    { name: "nested lists", codec: "json", build: (bytes) => nested("[", "]", bytes) },
    { name: "nested objects", codec: "json", build: (bytes) => nested('{"a":', "}", bytes) },
    ...paths.flatMap(jsonBombs),
    ...protoBombs(undefined),
    ...paths.flatMap(protoBombs),
    { name: "an endless varint", codec: "proto", build: (bytes) => Buffer.alloc(bytes, 0xff) },
    { name: "ends of groups", codec: "proto", build: (bytes) => Buffer.alloc(bytes, 0x0c) },
    { name: "a length beyond the end", codec: "proto", build: () => lengthBeyondTheEnd() },
  ];
}

function jsonBombs(path: FieldPath | undefined): Bomb[] {
  const where = path === undefined ? "the whole" : path.map(({ jsonName }) => jsonName).join(".");
  return JSON_FILLINGS.map(({ name, open, piece, close }) => ({
    name: `${name} in ${where}`,
    codec: "json" as const,
    build: (bytes) => {
      const [before, after] = path === undefined ? ["", ""] : surround(path);
      return Buffer.concat([
        Buffer.from(before + open),
        Buffer.alloc(Math.ceil(bytes / piece.length) * piece.length, piece),
        Buffer.from(close + after),
      ]);
    },
  }));
}

/** Returns the JSON around a field's value; lists on the way hold one element. */
function surround(path: FieldPath): [string, string] {
  const opens = path.map((field, index) => {
    const isLast = index === path.length - 1;
    return `{"${field.jsonName}":${isList(field) && !isLast ? "[" : ""}`;
  });
  const closes = path.map((field, index) => {
    const isLast = index === path.length - 1;
    return `${isList(field) && !isLast ? "]" : ""}}`;
  });
  return [opens.join(""), closes.reverse().join("")];
}

function manyKeys(bytes: number): Buffer {
  const keys: string[] = [];
  for (let length = 0; length < bytes; length += 12) keys.push(`"k${keys.length}":0`);
  return Buffer.from(`{${keys.join(",")}}`);
}

function manyUnknownObjects(bytes: number): Buffer {
  const piece = ',{"unknown":[{},{"x":{}}]}';
  return Buffer.from(`{"unknown":[{}${piece.repeat(Math.ceil(bytes / piece.length))}]}`);
}

function nested(open: string, close: string, bytes: number): Buffer {
  const depth = Math.ceil(bytes / (open.length + close.length));
  return Buffer.from(`${open.repeat(depth)}0${close.repeat(depth)}`);
}

function protoBombs(path: FieldPath | undefined): Bomb[] {
  const number = path?.at(-1)?.number ?? UNKNOWN_FIELD;
  const where = path === undefined ? "unknown fields" : path.map(({ name }) => name).join(".");
  const fillings: readonly { name: string; build(bytes: number): Buffer }[] = [
    { name: "empty values", build: (bytes) => repeat([...tag(number, WIRE.bytes), 0], bytes) },
    { name: "zeros", build: (bytes) => repeat([...tag(number, WIRE.varint), 0], bytes) },
    { name: "open groups", build: (bytes) => repeat(tag(number, WIRE.groupStart), bytes) },
    { name: "packed numbers", build: (bytes) => field(number, Buffer.alloc(bytes)) },
    { name: "a long value", build: (bytes) => field(number, Buffer.alloc(bytes, "x")) },
    { name: "values in values", build: (bytes) => nestedValues(number, bytes) },
  ];
  const outside = path?.slice(0, -1) ?? [];
  return fillings.map(({ name, build }) => ({
    name: `${name} in ${where}`,
    codec: "proto" as const,
    build: (bytes) =>
      outside.reduceRight((inner, { number: outer }) => field(outer, inner), build(bytes)),
  }));
}

function repeat(piece: readonly number[], bytes: number): Buffer {
  return Buffer.alloc(Math.ceil(bytes / piece.length) * piece.length, Buffer.from(piece));
}

function field(number: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([...tag(number, WIRE.bytes), ...varint(value.length)]), value]);
}

/** Each level costs the sender a few bytes, and the reader a call. */
function nestedValues(number: number, bytes: number): Buffer {
  const heads: Buffer[] = [];
  for (let inside = 0; inside < bytes; ) {
    const head = Buffer.from([...tag(number, WIRE.bytes), ...varint(inside)]);
    heads.push(head);
    inside += head.length;
  }
  return Buffer.concat(heads.reverse());
}

function lengthBeyondTheEnd(): Buffer {
  return Buffer.from([...tag(1, WIRE.bytes), ...varint(0x7fff_ffff), 1, 2, 3]);
}

function tag(number: number, wireType: number): number[] {
  return varint(number * 8 + wireType);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}
