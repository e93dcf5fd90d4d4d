import { expect, test } from "vitest";
import { createShares } from "./work-class.ts";

const POLICIES = ["login.ip", "login.account", "mint.user", "realtime.connect.ip"];

test("createShares() sorts requests by what the first policy begins with, and by its key", () => {
  const shareOf = createShares(POLICIES);
  const requests = [
    { policy: "login.ip", key: "192.0.2.1", share: ["login", "192.0.2.1"] },
    { policy: "login.new", key: "192.0.2.1", share: ["login", "192.0.2.1"] },
    { policy: "mint.user", key: "u", share: ["mint", "u"] },
    { policy: "realtime.connect.ip", key: "192.0.2.1", share: ["realtime.connect", "192.0.2.1"] },
    { policy: "realtime.else", key: "k", share: ["other", "k"] },
    { policy: "unknown", key: "k", share: ["other", "k"] },
  ];
  for (const { policy, key, share } of requests) {
    const { className, key: shareKey } = shareOf([{ policy, key }]);
    expect([className, shareKey], policy).toEqual(share);
  }
});

test("createShares() gives a network of IPv6 one key, and a doubtful address another", () => {
  const shareOf = createShares(POLICIES);
  const keyOf = (key: string, doubtful = false) =>
    shareOf([{ policy: "login.ip", key, doubtful }]).key;
  expect(keyOf("2001:db8:1:2::1")).toBe(keyOf("2001:db8:1:ffff::9"));
  expect(keyOf("2001:db8:1:2::1")).not.toBe(keyOf("2001:db8:2:2::1"));
  expect(keyOf("192.0.2.1", true)).not.toBe(keyOf("192.0.2.1"));
  expect(keyOf("demo:7")).toBe("demo:7");
});

test("createShares() keeps the number of classes bounded", () => {
  const policies = Array.from({ length: 100 }, (_, index) => `p${index}.ip`);
  const shareOf = createShares(policies);
  const classes = new Set(policies.map((policy) => shareOf([{ policy, key: "k" }]).className));
  expect(classes.size).toBe(16);
});
