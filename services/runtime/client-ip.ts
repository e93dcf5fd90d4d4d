import {
  type Cidr,
  cidrContains,
  formatIpAddress,
  parseIpAddress,
  parseIpv4,
} from "./ip-address.ts";

/** Why a forwarded address was not used. */
export type ClientIpWarning = "missing_or_invalid" | "fewer_entries" | "untrusted_peer";

/** Who the client is, as far as the configured proxies vouch for it. */
export type ClientIp = {
  /** Canonical text; empty only when the socket itself had no readable address. */
  ip: string;
  class: "socket" | "forwarded";
  warning?: ClientIpWarning;
  /** Entries in all X-Forwarded-For lines together, whether used or not. */
  entries: number;
};

/** More trusted proxies in a row than any sane deployment has. */
export const HOPS_MAX = 8;

/** The longest valid entry is a bracketed IPv6 address with a port; anything longer is noise. */
const ENTRY_CHARACTERS_MAX = 64;

const SPACE = 32;
const TAB = 9;
const COMMA = ",";
const COMMA_CODE = 44;

/**
 * Derives the client's address from the socket and every X-Forwarded-For line, trusting exactly
 * `hops` proxies: the leftmost of the last `hops` entries, if all of those are valid. Anything
 * doubtful falls back to the socket and says why. This is the only reader of a forwarded header.
 */
export function derive(
  remote: string,
  forwardedLines: readonly string[],
  hops: number,
  trustedProxies?: readonly Cidr[],
): ClientIp {
  const [only] = forwardedLines;
  const text = forwardedLines.length === 1 ? (only ?? "") : forwardedLines.join(COMMA);
  const entries = countEntries(text);
  if (hops === 0) return { ip: canonicalSocketAddress(remote), class: "socket", entries };
  if (trustedProxies !== undefined && !isTrusted(remote, trustedProxies)) {
    return fallBack(remote, "untrusted_peer", entries);
  }
  if (entries === 0) return fallBack(remote, "missing_or_invalid", entries);
  if (entries < hops) return fallBack(remote, "fewer_entries", entries);

  let ip = "";
  let end = text.length;
  for (let hop = 0; hop < hops; hop++) {
    const comma = text.lastIndexOf(COMMA, end - 1);
    const start = end === 0 ? 0 : comma + 1;
    const entry = readEntry(text, start, end);
    if (entry === undefined) return fallBack(remote, "missing_or_invalid", entries);
    ip = entry;
    end = comma;
  }
  return { ip, class: "forwarded", entries };
}

function fallBack(remote: string, warning: ClientIpWarning, entries: number): ClientIp {
  return { ip: canonicalSocketAddress(remote), class: "socket", warning, entries };
}

/** Counts the positions between commas; 0 if all of them are blank. */
function countEntries(text: string): number {
  let first = 0;
  while (first < text.length && isBlankOrComma(text.charCodeAt(first))) first++;
  if (first === text.length) return 0;
  let entries = 1;
  for (let at = text.indexOf(COMMA); at >= 0; at = text.indexOf(COMMA, at + 1)) entries++;
  return entries;
}

/** Reads one trusted entry: `v4`, `v4:port`, `v6`, `[v6]` or `[v6]:port`. */
function readEntry(text: string, start: number, end: number): string | undefined {
  let from = start;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  if (to - from > ENTRY_CHARACTERS_MAX) return undefined;
  const entry = text.slice(from, to);
  const value = parseIpv4(entry);
  // A strict IPv4 address has one spelling, so the entry is canonical.
  if (value !== undefined) return isClientIpv4(value) ? entry : undefined;
  const address = parseIpAddress(withoutPort(entry));
  if (address === undefined) return undefined;
  if (address.family === 4) {
    if (!isClientIpv4(address.value)) return undefined;
  } else {
    const isMulticast = (address.groups[0] ?? 0) >= 0xff00;
    if (isMulticast || address.groups.every((group) => group === 0)) return undefined;
  }
  return formatIpAddress(address);
}

/** Excludes 0.0.0.0/8, multicast and broadcast: no connection comes from those. */
function isClientIpv4(value: number): boolean {
  const first = value >>> 24;
  const isMulticast = first >= 224 && first <= 239;
  return first !== 0 && !isMulticast && value !== 0xffff_ffff;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

function isBlankOrComma(code: number): boolean {
  return code === COMMA_CODE || isBlank(code);
}

/** Removes brackets and a valid port. Returns a text that is no address if they are malformed. */
function withoutPort(entry: string): string {
  if (entry.startsWith("[")) {
    const bracketed = /^\[([0-9a-fA-F:.]+)\](?::(0|[1-9][0-9]{0,4}))?$/.exec(entry);
    const inner = bracketed?.[1] ?? "";
    // IPv4 has no brackets, so what is inside must be IPv6.
    return inner.includes(":") && isPort(bracketed?.[2]) ? inner : "";
  }
  const colon = entry.indexOf(":");
  if (colon < 0 || colon !== entry.lastIndexOf(":")) return entry;
  const port = entry.slice(colon + 1);
  return /^(0|[1-9][0-9]{0,4})$/.test(port) && isPort(port) ? entry.slice(0, colon) : "";
}

function isPort(digits: string | undefined): boolean {
  return digits === undefined || Number(digits) <= 65_535;
}

/** The socket's address in canonical text; empty if it has none, which no limiter key accepts. */
function canonicalSocketAddress(remote: string): string {
  if (parseIpv4(remote) !== undefined) return remote;
  let text = remote;
  if (text.startsWith("[")) {
    const close = text.indexOf("]");
    text = text.slice(1, close < 0 ? undefined : close);
  } else if (text.includes(".") && text.indexOf(":") === text.lastIndexOf(":")) {
    text = text.split(":", 1)[0] ?? "";
  }
  const zone = text.indexOf("%");
  const address = parseIpAddress(zone < 0 ? text : text.slice(0, zone));
  return address === undefined ? "" : formatIpAddress(address);
}

function isTrusted(remote: string, trustedProxies: readonly Cidr[]): boolean {
  const address = parseIpAddress(canonicalSocketAddress(remote));
  return address !== undefined && trustedProxies.some((cidr) => cidrContains(cidr, address));
}
