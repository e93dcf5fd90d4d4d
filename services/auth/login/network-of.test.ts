import { expect, test } from "vitest";
import vectors from "../../../test/vectors/limiter-key.json" with { type: "json" };
import { limiterKeyOf } from "../../limiter/rules/limiter-key.ts";
import { networkOf } from "./network-of.ts";

test("networkOf() names the networks that the limiter names", () => {
  for (const { ip, ipv6_prefix } of vectors) {
    const expected = limiterKeyOf(ip, ipv6_prefix) ?? ip;
    expect(networkOf({ ip }, ipv6_prefix), ip).toBe(expected);
  }
});

test("networkOf() joins the addresses of one client, and no others", () => {
  const of = (ip: string) => networkOf({ ip }, 64);
  expect(of("2001:db8:1:2::1")).toBe(of("2001:db8:1:2:ffff::9"));
  expect(of("2001:db8:1:2::1")).not.toBe(of("2001:db8:1:3::1"));
  expect(of("64:ff9b::c000:201")).toBe(of("192.0.2.1"));
  expect(of("192.0.2.1")).not.toBe(of("192.0.2.2"));
});
