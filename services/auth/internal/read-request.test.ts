import { expect, test } from "vitest";
import {
  ConsumeForwardedRequestSchema,
  IntrospectRequestSchema,
} from "../../../gen/portcullis/auth/v1/gateway_pb.ts";
import { parseObject, readRequest } from "./read-request.ts";

test("parseObject() reads objects alone, and an empty body as an empty one", () => {
  expect(parseObject(Buffer.from(""))).toEqual({});
  expect(parseObject(Buffer.from('{"key":"a"}'))).toEqual({ key: "a" });
  for (const text of ["[]", "null", "7", '"a"', "{", "{}{}"]) {
    expect(parseObject(Buffer.from(text)), text).toBeUndefined();
  }
});

test("parseObject() replaces lone surrogates, which no message takes", () => {
  expect(parseObject(Buffer.from('{"key":"\\ud800"}'))).toEqual({ key: "\ufffd" });
});

test("readRequest() reads what fits and ignores what it does not know", () => {
  const body = { policy: "realtime.x", cost: 2, doubtful: false, later: [1] };
  const { message, given, malformed } = readRequest(ConsumeForwardedRequestSchema, body);
  expect(message).toMatchObject({ policy: "realtime.x", key: "", cost: 2, doubtful: false });
  expect([...given]).toEqual(["policy", "cost", "doubtful"]);
  expect([...malformed]).toEqual([]);
});

test.each([
  { cost: "1" },
  { cost: 1.5 },
  { cost: -1 },
  { cost: 2 ** 32 },
  { cost: null },
  { cost: true },
  { doubtful: "true" },
  { doubtful: null },
  { key: 7 },
  { key: null },
])("readRequest() leaves %j out and names it", (body) => {
  const { message, given, malformed } = readRequest(ConsumeForwardedRequestSchema, body);
  expect([...malformed]).toEqual(Object.keys(body));
  expect([...given]).toEqual(Object.keys(body));
  expect(message).toMatchObject({ policy: "", key: "" });
  expect(message.cost).toBeUndefined();
});

test("readRequest() knows members by their JSON names alone, and lists by all of their entries", () => {
  const snake = readRequest(IntrospectRequestSchema, { session_token: "a" });
  expect(snake.message.sessionToken).toBeUndefined();
  const list = readRequest(IntrospectRequestSchema, { datasources: ["demo", 7] });
  expect(list.message.datasources).toEqual([]);
  expect([...list.malformed]).toEqual(["datasources"]);
});
