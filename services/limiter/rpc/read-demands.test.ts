import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { BucketRequestSchema } from "../../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { Secret } from "../../runtime/secret.ts";
import { BucketDirectory } from "../decisions/bucket-directory.ts";
import { parsePolicies } from "../rules/parse-policies.ts";
import { plainDigest } from "../store/key-digest.ts";
import { readDemands } from "./read-demands.ts";

const POLICIES = {
  own: { key: "address", algorithm: "token_bucket", limit: 10, period: "1h" },
  wide: {
    key: "address",
    algorithm: "token_bucket",
    limit: 10,
    period: "1h",
    wider: { prefix: 48, limit: 12 },
  },
  text: { key: "text", algorithm: "token_bucket", limit: 10, period: "1h" },
};

const same: ReadonlyArray<[string, Wish, Wish]> = [
  ["the same address", ["own", "203.0.113.9"], ["own", "203.0.113.9"]],
  ["two spellings of one address", ["own", "2001:db8::1"], ["own", "2001:DB8:0::1"]],
  ["an IPv4 address and its mapped form", ["own", "203.0.113.9"], ["own", "::ffff:203.0.113.9"]],
  ["two addresses in one /64", ["own", "2001:db8::1"], ["own", "2001:db8::2"]],
  ["two /64 in one wider network", ["wide", "2001:db8:0:1::1"], ["wide", "2001:db8:0:2::1"]],
  ["a text, doubtful and not", ["text", "a"], ["text", "a", true]],
];

test.each(same)("readDemands() refuses %s in one request", (_what, one, other) => {
  expect(read([one, other])).toMatchObject({
    kind: "refused",
    refusal: { message: "buckets[1]: takes from the same row as another" },
  });
});

const different: ReadonlyArray<[string, Wish, Wish]> = [
  ["one address under two policies", ["own", "203.0.113.9"], ["wide", "203.0.113.9"]],
  ["two /64", ["own", "2001:db8:0:1::1"], ["own", "2001:db8:0:2::1"]],
  ["two /48", ["wide", "2001:db8:1::1"], ["wide", "2001:db8:2::1"]],
  ["an address, doubtful and not", ["own", "203.0.113.9"], ["own", "203.0.113.9", true]],
];

test.each(different)("readDemands() takes %s in one request", (_what, one, other) => {
  expect(read([one, other])).toMatchObject({ kind: "read" });
});

type Wish = readonly [policy: string, key: string, doubtful?: boolean];

function read(wishes: readonly Wish[]) {
  const directory = new BucketDirectory({
    policies: parsePolicies({ policies: POLICIES }),
    salts: [new Secret("salt")],
    ipv6PrefixBits: 64,
  });
  const buckets = wishes.map(([policy, key, doubtful = false]) =>
    create(BucketRequestSchema, { policy, key, doubtful }),
  );
  return readDemands({
    buckets,
    caller: "operator",
    directory,
    leaseIdOf: plainDigest,
    isPeek: true,
  });
}
