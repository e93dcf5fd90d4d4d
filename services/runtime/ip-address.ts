/** An address as bits. An IPv4-mapped IPv6 address is read as IPv4. */
export type IpAddress = { family: 4; value: number } | { family: 6; groups: readonly number[] };

/** A range of addresses. */
export type Cidr = { address: IpAddress; prefixBits: number };

/** The longest text of an IPv6 address: six groups and a dotted tail. */
const IPV6_CHARACTERS_MAX = 45;

const DOT = 46;
const COLON = 58;
const ZERO = 48;
const NINE = 57;
const LOWER_A = 97;

/** Reads strict dotted decimal without leading zeros; undefined for anything else. */
export function parseIpv4(text: string): number | undefined {
  const { length } = text;
  if (length < 7 || length > 15) return undefined;
  let value = 0;
  let octet = -1;
  let octets = 0;
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index);
    if (code === DOT) {
      if (octet < 0 || octets === 3) return undefined;
      value = value * 256 + octet;
      octets++;
      octet = -1;
    } else if (code >= ZERO && code <= NINE) {
      if (octet === 0) return undefined;
      octet = (octet < 0 ? 0 : octet * 10) + code - ZERO;
      if (octet > 255) return undefined;
    } else {
      return undefined;
    }
  }
  return octets === 3 && octet >= 0 ? value * 256 + octet : undefined;
}

/** The value of a hexadecimal digit; negative for anything else. */
function hexDigit(code: number): number {
  if (code >= ZERO && code <= NINE) return code - ZERO;
  // Upper and lower case letters differ in one bit.
  const letter = (code | 32) - LOWER_A;
  return letter >= 0 && letter < 6 ? letter + 10 : -1;
}

function parseIpv6(text: string): number[] | undefined {
  const { length } = text;
  if (length < 2 || length > IPV6_CHARACTERS_MAX) return undefined;
  const groups: number[] = [];
  let gap = -1;
  let at = 0;
  if (text.charCodeAt(0) === COLON) {
    if (text.charCodeAt(1) !== COLON) return undefined;
    gap = 0;
    at = 2;
  }
  while (at < length) {
    const start = at;
    let group = 0;
    let digit = hexDigit(text.charCodeAt(at));
    while (digit >= 0 && at - start < 4) {
      group = group * 16 + digit;
      at++;
      digit = at < length ? hexDigit(text.charCodeAt(at)) : -1;
    }
    if (at < length && text.charCodeAt(at) === DOT) {
      const tail = parseIpv4(text.slice(start));
      if (tail === undefined) return undefined;
      groups.push(Math.floor(tail / 65_536), tail % 65_536);
      break;
    }
    if (at === start) return undefined;
    groups.push(group);
    if (at === length) break;
    if (text.charCodeAt(at) !== COLON) return undefined;
    at++;
    if (at < length && text.charCodeAt(at) === COLON) {
      if (gap >= 0) return undefined;
      gap = groups.length;
      at++;
    } else if (at === length) {
      return undefined;
    }
  }
  if (gap < 0) return groups.length === 8 ? groups : undefined;
  const zeros = 8 - groups.length;
  if (zeros < 1) return undefined;
  return [...groups.slice(0, gap), ...new Array<number>(zeros).fill(0), ...groups.slice(gap)];
}

function isMapped(groups: readonly number[]): boolean {
  if (groups[5] !== 0xffff) return false;
  return groups.slice(0, 5).every((group) => group === 0);
}

/** The IPv4 address in the last 32 bits of an IPv6 address. */
export function embeddedIpv4(groups: readonly number[]): IpAddress {
  return { family: 4, value: (groups[6] ?? 0) * 65_536 + (groups[7] ?? 0) };
}

/** Reads an address without port, brackets or zone; undefined for anything else. */
export function parseIpAddress(text: string): IpAddress | undefined {
  const value = parseIpv4(text);
  if (value !== undefined) return { family: 4, value };
  const groups = text.charCodeAt(0) === COLON || text.includes(":") ? parseIpv6(text) : undefined;
  if (groups === undefined) return undefined;
  return isMapped(groups) ? embeddedIpv4(groups) : { family: 6, groups };
}

/** The longest run of two or more zero groups; the first of equally long ones (RFC 5952). */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: -1, length: 1 };
  let start = -1;
  for (let index = 0; index < groups.length; index++) {
    if (groups[index] !== 0) {
      start = -1;
      continue;
    }
    if (start < 0) start = index;
    if (index - start + 1 > best.length) best = { start, length: index - start + 1 };
  }
  return best;
}

function joinHex(groups: readonly number[], from: number, to: number): string {
  let text = "";
  for (let index = from; index < to; index++) {
    const hex = (groups[index] ?? 0).toString(16);
    text = index === from ? hex : `${text}:${hex}`;
  }
  return text;
}

/** The canonical text of an address: dotted decimal, or RFC 5952 in hexadecimal. */
export function formatIpAddress(address: IpAddress): string {
  if (address.family === 4) {
    const { value } = address;
    return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
  }
  const { groups } = address;
  const run = longestZeroRun(groups);
  if (run.start < 0) return joinHex(groups, 0, groups.length);
  const head = joinHex(groups, 0, run.start);
  const tail = joinHex(groups, run.start + run.length, groups.length);
  return `${head}::${tail}`;
}

/** Keeps the first `prefixBits` bits of an address and clears the rest. */
export function maskIpAddress(address: IpAddress, prefixBits: number): IpAddress {
  if (address.family === 4) {
    const mask = prefixBits === 0 ? 0 : (0xffff_ffff << (32 - prefixBits)) >>> 0;
    return { family: 4, value: (address.value & mask) >>> 0 };
  }
  const groups = address.groups.map((group, index) => {
    const kept = Math.min(16, Math.max(0, prefixBits - index * 16));
    return group & (0xffff << (16 - kept)) & 0xffff;
  });
  return { family: 6, groups };
}

/** Reads `address/bits`, or an address as the range of itself; undefined for anything else. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf("/");
  const address = parseIpAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const bits = address.family === 4 ? 32 : 128;
  if (slash < 0) return { address, prefixBits: bits };
  const suffix = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(suffix)) return undefined;
  // A mapped range such as ::ffff:10.0.0.0/104 is the IPv4 range inside.
  const mapped = address.family === 4 && text.includes(":");
  const prefixBits = Number(suffix) - (mapped ? 96 : 0);
  if (prefixBits < 0 || prefixBits > bits) return undefined;
  return { address: maskIpAddress(address, prefixBits), prefixBits };
}

/** Whether an address lies in a range. */
export function cidrContains(cidr: Cidr, address: IpAddress): boolean {
  if (cidr.address.family !== address.family) return false;
  return formatIpAddress(maskIpAddress(address, cidr.prefixBits)) === formatIpAddress(cidr.address);
}
