import { expect, test } from "vitest";
import { Secret } from "../../runtime/secret.ts";
import type { Demand } from "../decisions/decision.ts";
import { Bucket } from "../engine/bucket.ts";
import type { Policy } from "../rules/policy.ts";
import { plainDigest } from "../store/key-digest.ts";
import { Receipts } from "./receipt.ts";

const policy: Policy = {
  name: "login.ip",
  key: "address",
  mode: "enforce",
  blockForMs: 0,
  algorithm: "token_bucket",
  limit: 1,
  periodMs: 1,
  burst: 1,
};
const wider: Policy = { ...policy, limit: 2, wider: { prefixBits: 48, limit: 2 } };
const shadow: Policy = { ...policy, mode: "shadow" };
const demands: readonly Demand[] = [
  {
    target: {
      policy,
      capacity: 1,
      buckets: [new Bucket(plainDigest("a"), policy), new Bucket(plainDigest("b"), wider)],
    },
    cost: 4_000_000_000,
  },
  {
    target: { policy: shadow, capacity: 1, buckets: [new Bucket(plainDigest("c"), shadow)] },
    cost: 1,
    lease: { id: plainDigest("lease"), ttlMs: 1 },
  },
];
const marks = [
  { beginning: 1_700_000_000_000, at: Number.MAX_SAFE_INTEGER, unit: 2_678_400_000 },
  { beginning: 1_700_000_000_001, at: 0, unit: 1 },
  { beginning: 1_700_000_000_002, at: -5, unit: 0 },
];
const charged = {
  receiptId: plainDigest("receipt"),
  chargedAtMs: 1_700_000_000_123,
  demands,
  marks,
};

test("read() gives back what write() named", () => {
  const receipts = new Receipts([new Secret("salt")]);
  const entry = { policy: "login.ip", isShadow: false };
  const [first, second, third] = marks;
  expect(receipts.read(receipts.write(charged))).toEqual({
    id: charged.receiptId,
    chargedAtMs: charged.chargedAtMs,
    entries: [
      {
        ...{ ...entry, widerBits: undefined, bucketId: plainDigest("a") },
        charge: { cost: 4_000_000_000, mark: first },
      },
      {
        ...{ ...entry, widerBits: 48, bucketId: plainDigest("b") },
        charge: { cost: 4_000_000_000, mark: second },
      },
      {
        ...{ policy: "login.ip", isShadow: true, widerBits: undefined, bucketId: plainDigest("c") },
        charge: { cost: 1, mark: third, leaseId: plainDigest("lease") },
      },
    ],
  });
});

test("read() refuses a receipt of which any byte was changed", () => {
  const receipts = new Receipts([new Secret("salt")]);
  const bytes = Buffer.from(receipts.write(charged), "base64url");
  const changed = Array.from(bytes, (byte, index) => {
    const copy = Buffer.from(bytes);
    copy[index] = byte ^ 1;
    return receipts.read(copy.toString("base64url"));
  });
  expect(changed.filter((receipt) => receipt !== undefined)).toEqual([]);
});

test("read() refuses what another salt signed, and accepts both while salts change", () => {
  const text = new Receipts([new Secret("old")]).write(charged);
  expect(new Receipts([new Secret("new")]).read(text)).toBeUndefined();
  expect(new Receipts([new Secret("new"), new Secret("old")]).read(text)).toBeDefined();
});

test.each(["", "x", "A".repeat(100), "A".repeat(20_000)])("read() refuses %.20j", (text) => {
  expect(new Receipts([new Secret("salt")]).read(text)).toBeUndefined();
});
