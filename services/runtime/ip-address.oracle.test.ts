import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { expect, test } from "vitest";
import { cidrContains, formatIpAddress, parseCidr, parseIpAddress } from "./ip-address.ts";

/** Half of all groups are zero, so that runs of them are common. */
const GROUP = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
/** Also addresses that hold an IPv4 address. */
const GROUPS = fc.oneof(
  fc.array(GROUP, { minLength: 8, maxLength: 8 }),
  fc.array(GROUP, { minLength: 2, maxLength: 2 }).map((tail) => [0, 0, 0, 0, 0, 0xffff, ...tail]),
);
const IPV4 = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 });

/** One of the many texts of an IPv6 address. */
const SPELLING = fc
  .record({
    groups: GROUPS,
    digits: fc.constantFrom(1, 4),
    isUpper: fc.boolean(),
    isDotted: fc.boolean(),
    gap: fc.nat(7),
  })
  .map(({ groups, digits, isUpper, isDotted, gap }) => {
    const hex = groups.map((group) => group.toString(16).padStart(digits, "0"));
    const [high = 0, low = 0] = groups.slice(6);
    const dotted = [high >> 8, high & 255, low >> 8, low & 255].join(".");
    const parts = isDotted ? [...hex.slice(0, 6), dotted] : hex;
    const text = withGap(parts, groups.slice(0, isDotted ? 6 : 8), gap);
    return isUpper ? text.toUpperCase() : text;
  });

/** Texts that are nearly addresses: pieces of them, in any order. */
const NOISE = fc
  .array(fc.constantFrom("0", "1", "25", "255", "256", "01", "f", "ffff", "g", ":", "::", "."), {
    maxLength: 16,
  })
  .map((pieces) => pieces.join(""));

test("every spelling of an address is read and written as ipaddr.js does it", () => {
  const texts = fc.oneof(
    SPELLING,
    IPV4.map((octets) => octets.join(".")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      expect(ours(text)).toBe(theirs(text));
      expect(ours(text)).toBeDefined();
    }),
  );
});

test("what is no address for ipaddr.js is none for us, and the other way round", () => {
  fc.assert(
    fc.property(NOISE, (text) => {
      expect(ours(text)).toBe(theirs(text));
    }),
    { numRuns: 2_000 },
  );
});

test("an address lies in a range where ipaddr.js says so", () => {
  const near = fc.record({ address: GROUPS, bit: fc.nat(127), prefixBits: fc.nat(128) });
  fc.assert(
    fc.property(near, ({ address, bit, prefixBits }) => {
      const other = address.map((group, index) =>
        index === bit >> 4 ? group ^ (0x8000 >> (bit & 15)) : group,
      );
      const [text = "", range = ""] = [other, address].map(textOf);
      const cidr = parseCidr(`${range}/${prefixBits}`);
      const parsed = parseIpAddress(text);
      if (cidr === undefined || parsed === undefined) return;
      const isInside = ipaddr.IPv6.parse(text).match(ipaddr.IPv6.parse(range), prefixBits);
      expect(cidrContains(cidr, parsed)).toBe(isInside);
    }),
  );
});

function ours(text: string): string | undefined {
  const address = parseIpAddress(text);
  return address && formatIpAddress(address);
}

/** Without the forms that no proxy writes: octal, hexadecimal and short IPv4, and zone ids. */
function theirs(text: string): string | undefined {
  if (!text.includes(":")) {
    return ipaddr.IPv4.isValidFourPartDecimal(text)
      ? ipaddr.IPv4.parse(text).toString()
      : undefined;
  }
  if (!ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress()
    ? address.toIPv4Address().toString()
    : address.toRFC5952String();
}

function textOf(groups: readonly number[]): string {
  return groups.map((group) => group.toString(16)).join(":");
}

/** Writes the zeros from a group on as `::`, where there are any. */
function withGap(parts: readonly string[], groups: readonly number[], from: number): string {
  let end = from;
  while (groups[end] === 0) end++;
  if (end === from) return parts.join(":");
  return `${parts.slice(0, from).join(":")}::${parts.slice(end).join(":")}`;
}
