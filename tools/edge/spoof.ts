/** A header as it is sent: its name as it is spelled, and its value. */
export type HeaderLine = readonly [name: string, value: string];

/** One way in which a client may claim to be somebody else. */
export type Spoof = { id: string; headers: readonly HeaderLine[] };

/** Addresses for documentation (RFC 5737, RFC 3849): no client can have them. */
export const SPOOFED_V4 = "203.0.113.77";
export const SPOOFED_V4_TOO = "198.51.100.77";
export const SPOOFED_V6 = "2001:db8::77";

const XFF = "X-Forwarded-For";
/** Long, and within what every proxy accepts of one header. */
const LONG_LIST_ENTRIES = 60;

const spoof = (id: string, ...headers: HeaderLine[]): Spoof => ({ id, headers });
const forwarded = (id: string, value: string) => spoof(id, [XFF, value]);

/** Every spelling that some proxy or framework is known to have believed. */
export const SPOOFS: readonly Spoof[] = [
  forwarded("one-entry", SPOOFED_V4),
  forwarded("two-entries", `${SPOOFED_V4}, ${SPOOFED_V4_TOO}`),
  forwarded("without-space", `${SPOOFED_V4},${SPOOFED_V4_TOO}`),
  forwarded("tabs", `\t${SPOOFED_V4}\t,\t${SPOOFED_V4_TOO}\t`),
  forwarded("port", `${SPOOFED_V4}:4711`),
  forwarded("ipv6", SPOOFED_V6),
  forwarded("ipv6-brackets", `[${SPOOFED_V6}]`),
  forwarded("ipv6-port", `[${SPOOFED_V6}]:4711`),
  forwarded("ipv6-zone", "fe80::1%eth0"),
  forwarded("ipv4-mapped", `::ffff:${SPOOFED_V4}`),
  forwarded("loopback", "127.0.0.1"),
  forwarded("private", "10.0.0.1"),
  forwarded("unspecified", "0.0.0.0"),
  forwarded("leading-zeros", "203.000.113.077"),
  forwarded("blank", ""),
  forwarded("leading-comma", `,${SPOOFED_V4}`),
  forwarded("trailing-comma", `${SPOOFED_V4},`),
  forwarded("unknown", "unknown"),
  forwarded("quoted", `"${SPOOFED_V4}"`),
  forwarded("for-parameter", `for=${SPOOFED_V4}`),
  forwarded("garbage", "<script>, ' or 1=1, \u00ff"),
  forwarded("long-list", Array.from({ length: LONG_LIST_ENTRIES }, () => SPOOFED_V4).join(", ")),
  spoof("two-lines", [XFF, SPOOFED_V4], [XFF, SPOOFED_V4_TOO]),
  spoof("blank-second-line", [XFF, SPOOFED_V4], [XFF, ""]),
  spoof("lower-case", ["x-forwarded-for", SPOOFED_V4]),
  spoof("upper-case", ["X-FORWARDED-FOR", SPOOFED_V4]),
  spoof("mixed-lines", ["x-forwarded-for", SPOOFED_V4], ["X-Forwarded-FOR", SPOOFED_V4_TOO]),
  spoof("underscores", ["X_Forwarded_For", SPOOFED_V4]),
  spoof("nominated", [XFF, SPOOFED_V4], ["Connection", XFF]),
  spoof("nominated-lower-case", ["Connection", "x-forwarded-for"]),
  spoof("forwarded", ["Forwarded", `for=${SPOOFED_V4};proto=https;host=elsewhere.example`]),
  spoof("x-real-ip", ["X-Real-IP", SPOOFED_V4]),
  spoof("x-client-ip", ["X-Client-IP", SPOOFED_V4]),
  spoof("x-cluster-client-ip", ["X-Cluster-Client-IP", SPOOFED_V4]),
  spoof("true-client-ip", ["True-Client-IP", SPOOFED_V4]),
  spoof("cf-connecting-ip", ["CF-Connecting-IP", SPOOFED_V4]),
  spoof("fastly-client-ip", ["Fastly-Client-IP", SPOOFED_V4]),
  spoof("x-original-forwarded-for", ["X-Original-Forwarded-For", SPOOFED_V4]),
  spoof("x-envoy-external-address", ["X-Envoy-External-Address", SPOOFED_V4]),
  spoof(
    "everything-at-once",
    [XFF, SPOOFED_V4],
    ["X-Real-IP", SPOOFED_V4],
    ["Forwarded", `for=${SPOOFED_V4}`],
    ["X-Forwarded-Proto", "https"],
    ["X-Forwarded-Host", "elsewhere.example"],
  ),
];
