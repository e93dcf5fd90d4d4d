import {
  create,
  fromBinary,
  fromJson,
  type MessageInitShape,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import {
  type ClientFrame,
  ClientFrameSchema,
  type ServerFrame,
  ServerFrameSchema,
} from "../../gen/portcullis/realtime/v1/realtime_pb.ts";
import type { Subprotocol } from "./subprotocol.ts";

/** A client frame, or the fact that it is none; with its id if that much could be read. */
type Decoded =
  | { kind: "frame"; frame: ClientFrame }
  | { kind: "unreadable"; id: number | undefined };

/** How one subprotocol writes and reads frames. */
export type FrameCodec = {
  readonly subprotocol: Subprotocol;
  readonly isBinary: boolean;
  encode(frame: ServerFrame): Uint8Array;
  decode(data: Uint8Array): Decoded;
};

export type ServerFrameBody = MessageInitShape<typeof ServerFrameSchema>["body"];

/** A server frame; the id is that of the client frame it answers. */
export function serverFrame(body: NonNullable<ServerFrameBody>, id?: number): ServerFrame {
  return create(ServerFrameSchema, id === undefined ? { body } : { body, id });
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const json: FrameCodec = {
  subprotocol: "portcullis.realtime.v1.json",
  isBinary: false,
  encode: (frame) =>
    encoder.encode(JSON.stringify(toJson(ServerFrameSchema, frame, { alwaysEmitImplicit: true }))),
  decode(data) {
    const value = parseJson(decoder.decode(data));
    try {
      // Fields of newer clients are ignored, as binary decoding does.
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

/** A frame without a body that we know asks for nothing that we can do. */
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
