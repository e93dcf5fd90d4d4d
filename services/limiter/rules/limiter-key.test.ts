import { expect, test } from "vitest";
import vectors from "../../../test/vectors/limiter-key.json" with { type: "json" };
import { limiterKeyOf } from "./limiter-key.ts";

test.each(vectors)("limiterKeyOf() $ip with /$ipv6_prefix is $expect", (vector) => {
  expect(limiterKeyOf(vector.ip, vector.ipv6_prefix)).toBe(vector.expect);
});

test.each(["", "example.test", "203.0.113.9:80", "[2001:db8::1]", "fe80::1%eth0", "10.0.0.0/8"])(
  "limiterKeyOf() refuses %j, which is no address",
  (text) => {
    expect(limiterKeyOf(text, 64)).toBeUndefined();
  },
);
