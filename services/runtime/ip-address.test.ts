import { expect, test } from "vitest";
import {
  cidrContains,
  formatIpAddress,
  maskIpAddress,
  parseCidr,
  parseIpAddress,
} from "./ip-address.ts";

test("parseCidr() reads ranges of both families by their bits", () => {
  const cases = [
    ["10.0.0.0/8", "10.255.0.1", "11.0.0.0"],
    ["203.0.113.9", "203.0.113.9", "203.0.113.10"],
    ["0.0.0.0/0", "255.255.255.255", "::1"],
    ["2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"],
    ["::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.1"],
    ["::/0", "ffff::", "10.0.0.1"],
  ] as const;
  for (const [range, inside, outside] of cases) {
    expect(contains(range, inside), `${range} ${inside}`).toBe(true);
    expect(contains(range, outside), `${range} ${outside}`).toBe(false);
  }
});

test("parseCidr() refuses what is no range", () => {
  for (const text of [
    "",
    "/8",
    "10.0.0.0/33",
    "10.0.0.0/08",
    "10.0.0.0/",
    "::/129",
    "10.0.0/8",
    "::ffff:10.0.0.0/95",
    "a/b",
  ]) {
    expect(parseCidr(text), text).toBeUndefined();
  }
});

test("maskIpAddress() keeps a prefix of any length", () => {
  const masked = (text: string, bits: number) => {
    const address = parseIpAddress(text);
    return address && formatIpAddress(maskIpAddress(address, bits));
  };
  expect(masked("255.255.255.255", 0)).toBe("0.0.0.0");
  expect(masked("255.255.255.255", 12)).toBe("255.240.0.0");
  expect(masked("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0)).toBe("::");
  expect(masked("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 63)).toBe("ffff:ffff:ffff:fffe::");
});

function contains(range: string, text: string): boolean {
  const cidr = parseCidr(range);
  const address = parseIpAddress(text);
  return cidr !== undefined && address !== undefined && cidrContains(cidr, address);
}
