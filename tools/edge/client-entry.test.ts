import { expect, test } from "vitest";
import { derive } from "../../services/runtime/client-ip.ts";
import vectors from "../../test/vectors/client-ip.json" with { type: "json" };
import { addressPatterns, impossiblePattern, mappedPatterns } from "./client-entry.ts";

const PEER = "192.0.2.1";

test("the patterns read every published list as services do, whatever the number of entries", () => {
  for (const entries of [1, 2, 3]) {
    for (const { id, xff } of vectors) {
      const lines = xff.filter((value) => !/[\r\n\0]/.test(value));
      expect(read(lines.join(","), entries), id).toBe(expected(lines, entries));
    }
  }
});

test("the patterns read every form of an address as services do, and refuse what is near to one", () => {
  const addresses = [...V4_TEXTS, ...V6_TEXTS];
  const forms = addresses.flatMap((text) => [
    text,
    text.toUpperCase(),
    ` \t${text}\t `,
    ...PORTS.flatMap((port) => [`${text}:${port}`, `[${text}]:${port}`]),
    `[${text}]`,
    `[${text}`,
    `"${text}"`,
    `${text}%eth0`,
    `${text}/32`,
  ]);
  for (const form of forms) {
    for (const list of [form, `6.6.6.6, ${form}`, `"6.6.6.6,${form}`, `${form},`, `,${form}`]) {
      expect(read(list, 1), list).toBe(expected([list], 1));
    }
    for (const list of [`${form},7.7.7.7`, `6.6.6.6, 7.7.7.7,${form}`, `x, ${form} ,[::8]:1`]) {
      expect(read(list, 2), list).toBe(expected([list], 2));
    }
  }
});

test("the patterns read every way of leaving zeros out of an address as services do", () => {
  const groups = ["0", "0000", "1", "ffff", "FFFF", "e000", "ff", "100"];
  for (let seed = 0; seed < 20_000; seed++) {
    const text = writeAddress(seed, groups);
    expect(read(text, 1), text).toBe(expected([text], 1));
  }
});

/** What the patterns find in the last entries, in the spelling of services; else the peer. */
function read(list: string, entries: number): string {
  const found = PATTERNS.slice(0, entries).map(({ impossible, address }) => {
    if (impossible.test(list)) return undefined;
    return address.map((pattern) => pattern.exec(list)?.groups?.["ip"]).find(Boolean);
  });
  const client = found.at(-1);
  return client === undefined || found.includes(undefined) ? PEER : derive(PEER, [client], 1).ip;
}

function expected(lines: readonly string[], entries: number): string {
  return derive(PEER, lines, entries).ip;
}

/** JavaScript's groups are named without the "P" that RE2 of older versions wants. */
function compile(pattern: string): RegExp {
  return new RegExp(pattern.replace("(?P<", "(?<"));
}

const PATTERNS = [0, 1, 2].map((behind) => ({
  impossible: compile(impossiblePattern(behind)),
  address: [...mappedPatterns(behind), ...addressPatterns(behind)].map(compile),
}));

/** Up to nine groups with up to two gaps and sometimes a decimal tail: right ones and wrong ones. */
function writeAddress(seed: number, groups: readonly string[]): string {
  let state = seed * 2_654_435_761 + 12_345;
  const next = (below: number) => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 374_761_393) >>> 0;
    return state % below;
  };
  const isMapped = next(3) === 0;
  const zeros = next(6);
  const parts = isMapped
    ? [...Array.from({ length: zeros }, () => "0"), "ffff", groups[next(8)], groups[next(8)]]
    : Array.from({ length: next(9) }, () => groups[next(8)]);
  if (next(4) === 0) parts.splice(-2, 2, ["224.0.0.1", "9.9.9.9", "0.0.0.0", "01.2.3.4"][next(4)]);
  if (next(4) > 0) parts.splice(next(parts.length + 1), 0, "");
  const text = parts.join(":");
  return `${text.startsWith(":") ? ":" : ""}${text}${text.endsWith(":") ? ":" : ""}`;
}

const PORTS = ["0", "1", "80", "080", "65535", "65536", "99999", "123456", "", "x"];

const V4_TEXTS = [
  ...["203.0.113.9", "1.1.1.1", "10.0.0.1", "127.0.0.1", "223.255.255.255", "240.0.0.1"],
  ...["255.255.255.254", "255.255.255.255", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.9.9.9"],
  ...["256.1.1.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.04", "1..2.3", "0x1.2.3.4", "1234"],
];

const V6_TEXTS = [
  ...["2001:db8::7", "2001:DB8:0:0:0:0:0:7", "::1", "::", "0::0", "0:0:0:0:0:0:0:0", "::0.0.0.0"],
  ...["::ffff:203.0.113.9", "::FFFF:CB00:7109", "0:0:0:0:0:ffff:203.0.113.9", "::ffff:0:1"],
  ...["::ffff:224.0.0.1", "::ffff:e000:1", "::ffff:255.255.255.255", "::ffff:ffff:ffff"],
  ...["0:0:0:0:0:ffff::", "0:0:0:0:0:ffff:e001::", "0:0:0:0:0:ffff::5", "::ffff:e000:1:2"],
  ...["64:ff9b::224.0.0.1", "64:ff9b::1.2.3.4", "2002:e000:1::", "ff02::1", "FF02::1", "fe80::1"],
  ...["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::8"],
  ...["1::2::3", ":1", "1:", ":::", "12345::", "g::1", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5::1.2.3.4"],
  ...["1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "::1.2.3.4.5", "::01.2.3.4", "unknown", "_hidden", ""],
];
