import {
  type Cidr,
  cidrContains,
  maskIpAddress,
  parseCidr,
} from "../../../services/runtime/ip-address.ts";
import type { Truth } from "./truth.ts";

/** Whether strangers can connect from a range of addresses that is trusted. */
export type RangeClass =
  /** Networks that no packet from the internet comes from. */
  | "private"
  /** Public, and no wider than what one owner publishes. */
  | "public"
  /** Far more than any owner has, or a private network with public ones beside it. */
  | "wide"
  | "everyone";

/**
 * Networks that are not on the internet, by IANA's registries of special addresses. Those for
 * documentation are not among them: in an example they stand for public ones.
 */
const PRIVATE = [
  ...["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8"],
  ...["169.254.0.0/16", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", "0.0.0.0/8"],
  ...["::1/128", "fc00::/7", "fe80::/10", "100::/64"],
].flatMap((text) => parseCidr(text) ?? []);

/** All of IPv6 that addresses of the internet are taken from, and what stands for IPv4 in it. */
const PUBLIC_IPV6 = ["2000::/3", "64:ff9b::/96"].flatMap((text) => parseCidr(text) ?? []);

/** The widest ranges that CDNs publish are a /10 of IPv4 and a /20 of IPv6. */
const PREFIX_MIN = { 4: 10, 6: 20 } as const;

/** Up to these a range holds so much of the internet that hardly a client is outside of it. */
const PREFIX_EVERYONE = { 4: 3, 6: 3 } as const;

/** What kind of addresses a range holds; undefined for what is no range, such as a name. */
export function classifyRange(text: string): RangeClass | undefined {
  const range = readRange(text);
  if (range === undefined) return undefined;
  if (PRIVATE.some((one) => contains(one, range))) return "private";
  const { family } = range.address;
  if (family === 6 && !PUBLIC_IPV6.some((one) => contains(one, range) || contains(range, one))) {
    return "private";
  }
  if (range.prefixBits <= PREFIX_EVERYONE[family]) return "everyone";
  // A private network is in it, and more than that: a prefix that is a few bits too short.
  const overreaches = PRIVATE.some((one) => one.prefixBits <= 16 && contains(range, one));
  return range.prefixBits < PREFIX_MIN[family] || overreaches ? "wide" : "public";
}

/** Whether a range is so wide that strangers are in it. */
export function holdsStrangers(text: string): boolean {
  return describeStrangers(text) !== undefined;
}

/** Whether a peer is in one of these ranges; some strangers are in a range that is too wide. */
export function isAmong(ranges: readonly string[], isTrusted: boolean): Truth {
  const kinds = ranges.map(classifyRange);
  if (isTrusted || kinds.includes("everyone")) return "yes";
  return kinds.includes("wide") ? "maybe" : "no";
}

/** Why a range must not be trusted; undefined where nothing is wrong with it. */
export function describeStrangers(text: string): string | undefined {
  const kind = classifyRange(text);
  if (kind === "everyone") return "every client is trusted to name its own address";
  if (kind !== "wide") return undefined;
  return `${text} is mostly public: strangers are in it, and each of them is trusted to name its own address`;
}

/** Reads "address/bits", in brackets or not, with a dotted mask or not. */
function readRange(text: string): Cidr | undefined {
  const bare = text.replace(/^\[([^\]]*)\]/, "$1");
  const [address = "", mask = ""] = bare.split("/");
  // All of the mapped addresses, and more, are every IPv4 client.
  if (/^::(ffff:(0+:0+|0\.0\.0\.0))?$/i.test(address) && mask !== "" && Number(mask) <= 96) {
    return parseCidr("0.0.0.0/0");
  }
  if (!mask.includes(".")) return parseCidr(bare);
  const bits = maskBits(mask);
  return bits === undefined ? undefined : parseCidr(`${address}/${bits}`);
}

function maskBits(mask: string): number | undefined {
  const octets = mask.split(".").map((octet) => Number(octet).toString(2).padStart(8, "0"));
  const ones = /^(1*)0*$/.exec(octets.join(""))?.[1];
  return octets.length === 4 ? ones?.length : undefined;
}

/** Whether all of a range is in another one. */
function contains(outer: Cidr, inner: Cidr): boolean {
  if (outer.prefixBits > inner.prefixBits) return false;
  return cidrContains(outer, maskIpAddress(inner.address, inner.prefixBits));
}
