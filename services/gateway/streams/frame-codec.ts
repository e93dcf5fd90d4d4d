import {
  create,
  fromBinary,
  fromJson,
  type MessageInitShape,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import {
  type ClientFrame,
  ClientFrameSchema,
  type ServerFrame,
  ServerFrameSchema,
} from "../../../gen/portcullis/realtime/v1/realtime_pb.ts";
import { findJsonProblem } from "../../runtime/way-in/json-bounds.ts";
import type { Subprotocol } from "./subprotocol.ts";

/** A client frame, or the id of one that could not be read, if the id could be. */
type Decoded =
  | { kind: "frame"; frame: ClientFrame }
  | { kind: "unreadable"; id: number | undefined };

/** An update and its place in the stream of its datasource. */
export type UpdateContent = {
  readonly datasource: string;
  readonly offset: bigint;
  readonly epoch: string;
  readonly jsonText: string;
};

/** How one subprotocol writes and reads frames. */
export type FrameCodec = {
  readonly subprotocol: Subprotocol;
  readonly isBinary: boolean;
  encode(frame: ServerFrame): Uint8Array;
  /** Writes an update with its JSON as it was published. */
  encodeUpdate(update: UpdateContent): Uint8Array;
  decode(data: Uint8Array): Decoded;
};

export type ServerFrameBody = MessageInitShape<typeof ServerFrameSchema>["body"];

/** A server frame; the id is that of the client frame it answers. */
export function serverFrame(body: NonNullable<ServerFrameBody>, id?: number): ServerFrame {
  return create(ServerFrameSchema, id === undefined ? { body } : { body, id });
}

/** Bounds a Value: a list of small numbers takes several times as much as its JSON. */
const VALUE_BYTES_MAX = 64 * 1024;
/** More elements need more bytes than that. Bounds the work before a Value is made. */
const VALUE_BOUNDS = { elementsMax: VALUE_BYTES_MAX / 4, listEntriesMax: VALUE_BYTES_MAX / 4 };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const json: FrameCodec = {
  subprotocol: "portcullis.realtime.v1.json",
  isBinary: false,
  encode: (frame) =>
    encoder.encode(JSON.stringify(toJson(ServerFrameSchema, frame, { alwaysEmitImplicit: true }))),
  encodeUpdate({ datasource, offset, epoch, jsonText }) {
    const place = JSON.stringify({ datasource, offset: String(offset), epoch });
    return encoder.encode(`{"update":${place.slice(0, -1)},"json":${jsonText}}}`);
  },
  decode(data) {
    const value = parseJson(decoder.decode(data));
    try {
      // Unknown fields are ignored, as in binary decoding: newer clients may send them.
      return readable(fromJson(ClientFrameSchema, value ?? null, { ignoreUnknownFields: true }));
    } catch {
      return { kind: "unreadable", id: findId(value) };
    }
  },
};

const proto: FrameCodec = {
  subprotocol: "portcullis.realtime.v1.proto",
  isBinary: true,
  encode: (frame) => toBinary(ServerFrameSchema, frame),
  encodeUpdate(update) {
    const json = findValue(update.jsonText);
    const value = json === undefined ? update : { ...update, json };
    return toBinary(ServerFrameSchema, serverFrame({ case: "update", value }));
  },
  decode(data) {
    try {
      return readable(fromBinary(ClientFrameSchema, data, { readUnknownFields: false }));
    } catch {
      return { kind: "unreadable", id: undefined };
    }
  },
};

export const FRAME_CODECS: Readonly<Record<Subprotocol, FrameCodec>> = {
  "portcullis.realtime.v1.json": json,
  "portcullis.realtime.v1.proto": proto,
};

/** The update as a Value, which older clients read; undefined if it is too large or too deep. */
function findValue(jsonText: string): Value | undefined {
  if (findJsonProblem(encoder.encode(jsonText), VALUE_BOUNDS) !== undefined) return undefined;
  try {
    const value = fromJson(ValueSchema, parseJson(jsonText) ?? null);
    return toBinary(ValueSchema, value).length > VALUE_BYTES_MAX ? undefined : value;
  } catch {
    return undefined;
  }
}

/** A frame whose body is missing or unknown counts as unreadable. */
function readable(frame: ClientFrame): Decoded {
  return frame.body.case === undefined
    ? { kind: "unreadable", id: frame.id }
    : { kind: "frame", frame };
}

type JsonInput = Parameters<typeof fromJson>[1];

function parseJson(text: string): JsonInput | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function findId(value: JsonInput | undefined): number | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const id = value["id"];
  const isId = typeof id === "number" && Number.isInteger(id) && id >= 0 && id <= 0xffff_ffff;
  return isId ? id : undefined;
}
