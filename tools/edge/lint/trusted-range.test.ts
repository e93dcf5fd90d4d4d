import { describe, expect, test } from "vitest";
import { classifyRange, describeStrangers, type RangeClass } from "./trusted-range.ts";

const CASES: Readonly<Record<RangeClass, readonly string[]>> = {
  private: [
    ...["10.0.0.0/8", "10.1.2.3", "172.16.0.0/12", "172.31.0.0/16", "192.168.0.0/16"],
    ...["100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "127.0.0.1"],
    ...["10.0.0.0/255.0.0.0", "192.168.1.0/255.255.255.0"],
    ...["fc00::/7", "fd00::/8", "fd12:3456::/48", "fe80::/10", "::1", "::1/128", "[fd00::]/8"],
    ...["::ffff:10.0.0.0/104", "::ffff:127.0.0.1", "::ffff:a00:0/104"],
  ],
  public: [
    ...["104.16.0.0/13", "173.245.48.0/20", "13.32.0.0/15", "35.191.0.0/16", "104.64.0.0/10"],
    ...[
      "203.0.114.7",
      "2400:cb00::/32",
      "2606:4700::/32",
      "2600:9000::/28",
      "2001:db8::/32",
      "198.51.100.0/24",
    ],
    ...["::ffff:104.16.0.0/109"],
  ],
  wide: [
    ...["172.0.0.0/8", "192.0.0.0/8", "100.0.0.0/8", "172.0.0.0/11", "192.168.0.0/15"],
    ...["3.0.0.0/8", "10.0.0.0/7", "52.0.0.0/9", "172.0.0.0/255.0.0.0"],
    ...["::ffff:172.0.0.0/104", "2400::/12", "2001::/16", "2000::/4"],
  ],
  everyone: [
    ...["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "64.0.0.0/2", "0.0.0.0/0.0.0.0"],
    ...["::ffff:0:0/96", "::ffff:0.0.0.0/96", "2000::/3", "::/1"],
  ],
};

describe("classifyRange() goes by whose addresses they are, not by how many", () => {
  for (const [kind, ranges] of Object.entries(CASES)) {
    for (const range of ranges) {
      test(`${range} is ${kind}`, () => expect(classifyRange(range)).toBe(kind));
    }
  }
});

test("classifyRange() has no opinion on what is no range", () => {
  for (const text of [
    "unix:",
    "cdn.example",
    "private_ranges",
    "10.0.0.0/33",
    "10.0.0.0/255.0.255.0",
  ]) {
    expect(classifyRange(text), text).toBeUndefined();
  }
});

test("describeStrangers() tells everybody from a range that reaches too far", () => {
  expect(describeStrangers("::/0")).toContain("every client");
  expect(describeStrangers("172.0.0.0/8")).toContain("172.0.0.0/8 is mostly public");
  expect(describeStrangers("fc00::/7")).toBeUndefined();
});
