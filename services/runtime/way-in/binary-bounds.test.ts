import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { StructSchema, type ValueSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ConsumeBatchRequestSchema,
  ConsumeRequestSchema,
  RenewRequestSchema,
} from "../../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { PublishRequestSchema } from "../../../gen/portcullis/realtime/v1/realtime_pb.ts";
import { findBinaryProblem } from "./binary-bounds.ts";

const BOUNDS = { elementsMax: 1_000, listEntriesMax: 100 };
const WIDE = { elementsMax: 1_000_000, listEntriesMax: 1_000_000 };

test("findBinaryProblem() takes what our own clients write", () => {
  const bucket = { policy: "login.ip", key: "203.0.113.9", cost: 3, doubtful: true };
  const batch = create(ConsumeBatchRequestSchema, {
    requests: [{ buckets: [bucket, { ...bucket, leaseId: "l", leaseTtl: { seconds: 30n } }] }],
  });
  const bytes = toBinary(ConsumeBatchRequestSchema, batch);
  expect(findBinaryProblem(ConsumeBatchRequestSchema, bytes, BOUNDS)).toBeUndefined();
  const update = create(PublishRequestSchema, {
    datasource: "demo",
    json: jsonValue({ kind: { case: "numberValue", value: 1.5 } }),
  });
  const published = toBinary(PublishRequestSchema, update);
  expect(findBinaryProblem(PublishRequestSchema, published, BOUNDS)).toBeUndefined();
});

test("findBinaryProblem() counts the entries of every list before anything is built", () => {
  const empty = Buffer.from([0x0a, 0x00]);
  const find = (desc: typeof ConsumeBatchRequestSchema | typeof RenewRequestSchema) =>
    findBinaryProblem(desc, Buffer.concat(new Array(2_000_000).fill(empty)), BOUNDS);
  expect(find(ConsumeBatchRequestSchema)).toBe("requests: holds more than 100 entries");
  expect(find(RenewRequestSchema)).toBe("lease_ids: holds more than 100 entries");
});

test("findBinaryProblem() counts elements over all levels, unknown ones included", () => {
  const unknown = Buffer.concat(new Array(1_001).fill(Buffer.from([0x78, 0x01])));
  expect(findBinaryProblem(ConsumeRequestSchema, unknown, BOUNDS)).toMatch(/more than 1000/);
  const inner = Buffer.concat(new Array(60).fill(Buffer.from([0x0a, 0x00])));
  const outer = Buffer.concat(new Array(50).fill(Buffer.from([0x0a, inner.length, ...inner])));
  expect(findBinaryProblem(ConsumeBatchRequestSchema, outer, BOUNDS)).toMatch(/more than 1000/);
});

test("findBinaryProblem() refuses what is nested too deeply", () => {
  let json = jsonValue({ kind: { case: "nullValue", value: 0 } });
  for (let depth = 0; depth < 80; depth++) {
    json = jsonValue({ kind: { case: "structValue", value: { fields: { a: json } } } });
  }
  const bytes = toBinary(StructSchema, create(StructSchema, { fields: { a: json } }));
  expect(findBinaryProblem(StructSchema, bytes, WIDE)).toMatch(/nested more than/);
});

const malformed: ReadonlyArray<[string, number[]]> = [
  ["a cut length", [0x0a, 0x05, 0x00]],
  ["a length past the end", [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]],
  ["a varint without end", new Array(12).fill(0xff)],
  ["the field number zero", [0x00, 0x01]],
  ["a group", [0x0b, 0x0c]],
  ["another wire type", [0x08, 0x01]],
  ["text that is not UTF-8", [0x12, 0x01, 0xff]],
];

test.each(malformed)("findBinaryProblem() refuses %s", (_, bytes) => {
  expect(findBinaryProblem(ConsumeRequestSchema, Buffer.from(bytes), WIDE)).toBeDefined();
});

test("whatever findBinaryProblem() takes, the parser takes too", () => {
  const schemas = [ConsumeBatchRequestSchema, PublishRequestSchema, RenewRequestSchema];
  const bytes = fc.array(
    fc.oneof(
      fc.constantFrom(0x0a, 0x12, 0x1a, 0x00, 0x01, 0x02, 0x08, 0x10),
      fc.integer({ min: 0, max: 255 }),
    ),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(fc.constantFrom(...schemas), bytes, (desc, list) => {
      const message = Uint8Array.from(list);
      if (findBinaryProblem(desc, message, WIDE) === undefined) fromBinary(desc, message);
    }),
    { numRuns: 5_000 },
  );
});

type ValueInit = Parameters<typeof create<typeof ValueSchema>>[1];

function jsonValue(init: NonNullable<ValueInit>) {
  return init;
}
