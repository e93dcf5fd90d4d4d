import { expect, test } from "vitest";
import { parsePolicies } from "../../services/limiter/rules/parse-policies.ts";
import { InProcessLimiter } from "./in-process-limiter.ts";

test("consume() enforces the policies, and names the wait", () => {
  const limiter = setup();
  const bucket = { policy: "connect", key: "203.0.113.9" };
  const kinds = [0, 0, 0].map((nowMs) => limiter.consume([bucket], nowMs)?.kind);
  expect(kinds).toEqual(["allowed", "allowed", "rejected"]);
  const refused = limiter.consume([bucket], 0);
  expect(refused).toEqual({
    kind: "rejected",
    policy: "connect",
    retryAfterMs: 30_000,
    isFailOpen: true,
  });
  expect(limiter.consume([bucket], 30_000)).toMatchObject({ kind: "allowed", remaining: 0 });
});

test("consume() takes from all buckets or from none", () => {
  const limiter = setup();
  const both = [
    { policy: "connect", key: "203.0.113.9" },
    { policy: "account", key: "ada" },
  ];
  expect(limiter.consume(both, 0)?.kind).toBe("allowed");
  expect(limiter.consume(both, 0)).toMatchObject({ kind: "rejected", policy: "account" });
  expect(limiter.consume(both.slice(0, 1), 0)).toMatchObject({ kind: "allowed", remaining: 0 });
});

test("consume() treats one IPv6 network as one client, and doubtful addresses apart", () => {
  const limiter = setup();
  const from = (key: string, doubtful: boolean) =>
    limiter.consume([{ policy: "connect", key, doubtful }], 0)?.kind;
  expect([from("2001:db8::1", false), from("2001:db8::2", false)]).toEqual(["allowed", "allowed"]);
  expect(from("2001:db8::3", false)).toBe("rejected");
  expect(from("2001:db8::3", true)).toBe("allowed");
});

test("consume() holds a wider IPv6 network to its own limit", () => {
  const limiter = setup();
  const kinds = ["2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1"].map(
    (key) => limiter.consume([{ policy: "site", key }], 0)?.kind,
  );
  expect(kinds).toEqual(["allowed", "allowed", "rejected"]);
});

test("refund() returns what was taken under the named policies, once", () => {
  const limiter = setup();
  const ada = { policy: "account", key: "ada" };
  const verdict = limiter.consume([{ policy: "connect", key: "203.0.113.9" }, ada], 0);
  const receipt = verdict?.kind === "allowed" ? verdict.receipt : "";
  expect(InProcessLimiter.issued(receipt)).toBe(true);
  expect(limiter.refund(receipt, ["account"], 1)).toBe(true);
  expect(limiter.refund(receipt, [], 1)).toBe(false);
  expect(limiter.consume([ada], 1)?.kind).toBe("allowed");
  const connect = { policy: "connect", key: "203.0.113.9" };
  expect(limiter.consume([connect], 1)).toMatchObject({ kind: "allowed", remaining: 0 });
});

test("consume() decides nothing when two keys are the same bucket", () => {
  const limiter = setup();
  const buckets = ["2001:db8::1", "2001:db8::2"].map((key) => ({ policy: "connect", key }));
  expect(limiter.consume(buckets, 0)).toBeUndefined();
});

test("consume() decides nothing it does not know", () => {
  const limiter = setup();
  expect(limiter.consume([{ policy: "unknown", key: "x" }], 0)).toBeUndefined();
  expect(limiter.consume([{ policy: "connect", key: "not an address" }], 0)).toBeUndefined();
  expect(limiter.consume([{ policy: "account", key: "ada", cost: 2 }], 0)).toBeUndefined();
});

function setup(): InProcessLimiter {
  const perMinute = { algorithm: "token_bucket", period: "1m" };
  const policies = parsePolicies({
    policies: {
      connect: { ...perMinute, key: "address", limit: 2 },
      account: { ...perMinute, key: "text", limit: 1 },
      site: { ...perMinute, key: "address", limit: 1, wider: { prefix: 48, limit: 2 } },
    },
  });
  return new InProcessLimiter({ policies, ipv6PrefixBits: 64 });
}
