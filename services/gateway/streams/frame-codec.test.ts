import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import {
  ClientFrameSchema,
  ServerFrameSchema,
  Status_State,
} from "../../../gen/portcullis/realtime/v1/realtime_pb.ts";
import { toErrorFrame, unavailable } from "../access/refusal.ts";
import { FRAME_CODECS, serverFrame } from "./frame-codec.ts";

const json = FRAME_CODECS["portcullis.realtime.v1.json"];
const proto = FRAME_CODECS["portcullis.realtime.v1.proto"];

describe("json.encode() writes proto3 JSON with every field present", () => {
  const cases = [
    {
      frame: serverFrame({
        case: "hello",
        value: { sessionId: "s", pingInterval: durationFromMs(25_000) },
      }),
      text: { hello: { sessionId: "s", pingInterval: "25s" } },
    },
    {
      frame: serverFrame({ case: "ack", value: { epoch: "e", offset: 0n } }, 1),
      text: { id: 1, ack: { resumed: false, epoch: "e", offset: "0" } },
    },
    {
      frame: serverFrame({ case: "error", value: toErrorFrame(unavailable(1_500)) }, 0),
      text: {
        id: 0,
        error: {
          code: "unavailable",
          status: 503,
          message: "temporarily unavailable",
          temporary: true,
          retryAfter: "1.500s",
        },
      },
    },
    {
      frame: serverFrame({
        case: "status",
        value: { datasource: "demo", state: Status_State.ENDED, reason: "revoked" },
      }),
      text: { status: { datasource: "demo", state: "STATE_ENDED", reason: "revoked" } },
    },
    { frame: serverFrame({ case: "pong", value: {} }, 4), text: { id: 4, pong: {} } },
  ];
  for (const { frame, text } of cases) {
    test(`of ${frame.body.case}`, () => {
      expect(JSON.parse(new TextDecoder().decode(json.encode(frame)))).toEqual(text);
    });
  }
});

test("proto.encode() writes what the schema reads", () => {
  const frame = serverFrame({ case: "ack", value: { epoch: "e", offset: 7n } }, 1);
  expect(fromBinary(ServerFrameSchema, proto.encode(frame))).toEqual(frame);
});

describe("encodeUpdate() writes the JSON as it was published:", () => {
  const texts = [
    '{"id": 1234567890123456789, "__proto__": {"a": 1}, "2": 1, "1": 2, "1": 3}',
    '[1.0, -0, 1e400, "\\u00fc\\/ü", \n null]',
    `${"[".repeat(2_000)}${"]".repeat(2_000)}`,
    `[${new Array(30_000).fill(1)}]`,
  ];
  const place = { datasource: "demo", offset: 7n, epoch: '"e"' };
  for (const jsonText of texts) {
    test(jsonText.slice(0, 40), () => {
      const update = { ...place, jsonText };
      const text = new TextDecoder().decode(json.encodeUpdate(update));
      const start = '{"update":{"datasource":"demo","offset":"7","epoch":"\\"e\\"","json":';
      expect(text).toBe(`${start}${jsonText}}}`);
      const { body } = fromBinary(ServerFrameSchema, proto.encodeUpdate(update));
      expect(body).toMatchObject({ case: "update", value: update });
    });
  }

  test("and in binary as a value too, where that is not too large", () => {
    const kindOf = (jsonText: string) => {
      const { body } = fromBinary(ServerFrameSchema, proto.encodeUpdate({ ...place, jsonText }));
      return body.case === "update" ? body.value.json?.kind : undefined;
    };
    expect(kindOf("1")).toEqual({ case: "numberValue", value: 1 });
    expect(kindOf("null")).toMatchObject({ case: "nullValue" });
    expect(texts.map(kindOf).map((kind) => kind?.case)).toEqual([
      "structValue",
      "listValue",
      undefined,
      undefined,
    ]);
  });
});

test("decode() reads the same frame from both subprotocols", () => {
  const body = { case: "subscribe", value: { datasource: "demo", token: "t" } } as const;
  const frame = create(ClientFrameSchema, { id: 1, body });
  const expected = { kind: "frame", frame };
  expect(proto.decode(toBinary(ClientFrameSchema, frame))).toEqual(expected);
  expect(json.decode(utf8('{"id":1,"subscribe":{"datasource":"demo","token":"t"}}'))).toEqual(
    expected,
  );
  expect(
    json.decode(utf8('{"id":1,"subscribe":{"datasource":"demo","token":"t","new":1}}')),
  ).toEqual(expected);
});

describe("json.decode() calls unreadable, with the id where there is one,", () => {
  const unreadable: [string, number | undefined][] = [
    ["", undefined],
    ["garbage", undefined],
    ["null", undefined],
    ["[]", undefined],
    ['"text"', undefined],
    ["{}", undefined],
    ['{"id":3}', 3],
    ['{"id":3,"dance":{}}', 3],
    ['{"id":3,"subscribe":7}', 3],
    ['{"id":-1,"subscribe":{}}', undefined],
    ['{"id":4294967296,"ping":{}}', undefined],
    ['{"id":3,"ping":{},"subscribe":{}}', 3],
    ['{"subscribe":{"datasource":1}}', undefined],
    ["[".repeat(16_000), undefined],
  ];
  for (const [text, id] of unreadable) {
    test(JSON.stringify(text.slice(0, 40)), () => {
      expect(json.decode(utf8(text))).toEqual({ kind: "unreadable", id });
    });
  }
});

test("proto.decode() calls garbage unreadable", () => {
  for (const bytes of [[], [255], [8], [10, 200, 1], new Array<number>(16_000).fill(0x0b)]) {
    expect(proto.decode(Uint8Array.from(bytes)), String(bytes).slice(0, 20)).toMatchObject({
      kind: "unreadable",
    });
  }
});

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
