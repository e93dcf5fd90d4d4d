import { describe, expect, test } from "vitest";
import vectors from "../../test/vectors/client-ip.json" with { type: "json" };
import { derive } from "./client-ip.ts";
import { parseCidr } from "./ip-address.ts";

describe("derive() follows the published cases", () => {
  for (const { id, remote, xff, hops, expect: expected } of vectors) {
    test(`${id}: ${hops} hops, ${JSON.stringify(xff).slice(0, 80)}`, () => {
      const { ip, warning } = derive(remote, xff, hops);
      expect({ ip, warning }).toEqual({ warning: undefined, ...expected });
    });
  }
});

test("derive() refuses every malformed entry in a trusted position", () => {
  const refused = [
    "",
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "239.255.255.255",
    "255.255.255.255",
    "01.2.3.4",
    "1.2.3",
    "1.2.3.4.",
    ".1.2.3.4",
    "1..2.3",
    "1.2.3.4:",
    "1.2.3.4:65536",
    "1.2.3.4:-1",
    "1.2.3.4:080",
    "::",
    "ff02::1",
    "[::1",
    "::1]",
    "[1.2.3.4]",
    "[::1]:",
    "[::1]x",
    "[::1]:99999",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7::8:9",
    "12345::",
    "g::1",
    "::1.2.3.400",
    "1.2.3.4::",
    "::ffff:0.0.0.0",
    "::ffff:255.255.255.255",
    "fe80::1%1",
    '"1.2.3.4"',
    "for=1.2.3.4",
    "unknown",
    "1.2.3.4/32",
    "１.2.3.4",
    "1.2.3.4\u00a0",
    "1.2.3.4\u0000",
    `${"0".repeat(60)}1.2.3.4`,
  ];
  for (const entry of refused) {
    expect(derive("192.0.2.1", [`8.8.8.8,${entry}`], 1), JSON.stringify(entry)).toMatchObject({
      ip: "192.0.2.1",
      class: "socket",
      warning: "missing_or_invalid",
    });
  }
});

test("derive() accepts every spelling of a valid entry and answers with one", () => {
  const accepted = [
    ["\t 1.2.3.4 \t", "1.2.3.4"],
    ["1.2.3.4:0", "1.2.3.4"],
    ["1.2.3.4:65535", "1.2.3.4"],
    ["[2001:DB8::1]:443", "2001:db8::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["::ffff:a.b", undefined],
    ["240.0.0.1", "240.0.0.1"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
    ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
    ["[::ffff:1.2.3.4]:80", "1.2.3.4"],
  ] as const;
  for (const [entry, ip] of accepted) {
    expect(derive("192.0.2.1", [entry], 1).ip, entry).toBe(ip ?? "192.0.2.1");
  }
});

test("derive() believes the header only from a trusted peer, when peers are named", () => {
  const proxies = ["10.0.0.0/8", "2001:db8::/32"].flatMap((text) => parseCidr(text) ?? []);
  const from = (remote: string) => derive(remote, ["203.0.113.9"], 1, proxies);
  expect(from("10.1.2.3")).toMatchObject({ ip: "203.0.113.9", class: "forwarded" });
  expect(from("::ffff:10.1.2.3")).toMatchObject({ ip: "203.0.113.9" });
  expect(from("2001:0db8:0000:0000:0000:0000:0000:0001")).toMatchObject({ ip: "203.0.113.9" });
  expect(from("11.0.0.1")).toMatchObject({ ip: "11.0.0.1", warning: "untrusted_peer" });
  expect(derive("11.0.0.1", ["203.0.113.9"], 0, proxies)).not.toHaveProperty("warning");
});

test("derive() counts entries over all lines, blank positions included", () => {
  expect(derive("1.1.1.1", [], 1).entries).toBe(0);
  expect(derive("1.1.1.1", [" , "], 1).entries).toBe(0);
  expect(derive("1.1.1.1", ["2.2.2.2", "3.3.3.3,4.4.4.4"], 1).entries).toBe(3);
  expect(derive("1.1.1.1", ["2.2.2.2", ""], 1).entries).toBe(2);
});
