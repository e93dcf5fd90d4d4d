import { CLAIM_HEADERS } from "../../tools/edge/edge-policy.ts";
import vectors from "../vectors/client-ip.json" with { type: "json" };

/** One way of lying about an address, as the header lines of a request. */
export type HostileRequest = {
  id: string;
  /** Raw header lines, without Host and Connection. */
  lines: readonly string[];
  /** The values of X-Forwarded-For, line by line, as every correct server reads them. */
  forwardedLines: readonly string[];
  /** What the Connection header nominates, beside its own purpose. */
  nominated?: readonly string[];
};

/** Header names are compared without case; each vector arrives in another spelling. */
const SPELLINGS = ["X-Forwarded-For", "x-forwarded-for", "X-FORWARDED-FOR", "x-Forwarded-fOR"];

/** A list of the size that a browser extension or a scanner sends, all in one line. */
const LONG_LIST = Array.from({ length: 256 }, (_, index) => `10.9.8.${index}`)
  .join(", ")
  .slice(0, 3_072);

/** Every published case that can be sent: a header value holds no line break. */
const fromVectors: HostileRequest[] = vectors
  .filter(({ xff }) => xff.every((value) => !/[\r\n\0]/.test(value)))
  .map(({ id, xff }, index) => ({
    id,
    lines: xff.map((value, line) => `${SPELLINGS[(index + line) % SPELLINGS.length]}: ${value}`),
    forwardedLines: xff,
  }));

function forwarded(id: string, ...values: string[]): HostileRequest {
  return { id, lines: values.map((value) => `X-Forwarded-For: ${value}`), forwardedLines: values };
}

function other(id: string, ...lines: string[]): HostileRequest {
  return { id, lines, forwardedLines: [] };
}

const ofOurOwn: HostileRequest[] = [
  other("nothing"),
  forwarded("one-entry", "6.6.6.6"),
  forwarded("one-entry-v6", "2001:db8:6::6"),
  forwarded("loopback", "127.0.0.1"),
  forwarded("repeated", "6.6.6.6", "7.7.7.7", "8.8.8.8"),
  forwarded("empty-value", ""),
  forwarded("blank-value", " \t "),
  forwarded("empty-then-one", "", "6.6.6.6"),
  forwarded("one-then-empty", "6.6.6.6", ""),
  forwarded("only-commas", ",,,,"),
  forwarded("quote-open", '"6.6.6.6'),
  forwarded("quote-swallows-comma", '"6.6.6.6, 7.7.7.7'),
  forwarded("quote-over-lines", '"6.6.6.6', '7.7.7.7"'),
  forwarded("long-list", LONG_LIST),
  forwarded("long-list-in-lines", ...LONG_LIST.split(", ").slice(0, 30)),
  forwarded("obs-text", "\u00a06.6.6.6\u00ff"),
  other("underscores", "X_Forwarded_For: 6.6.6.6", "X_Real_IP: 6.6.6.6"),
  other("underscores-mixed", "X_Forwarded-For: 6.6.6.6", "X-Forwarded_For: 6.6.6.6"),
  other("forwarded", "Forwarded: for=6.6.6.6;proto=https;host=evil.example"),
  other("forwarded-quote", 'Forwarded: for="[2001:db8::1', "Forwarded: for=6.6.6.6"),
  other("real-ip", "X-Real-IP: 6.6.6.6", "x-real-ip: 7.7.7.7"),
  other("proto", "X-Forwarded-Proto: https", "x-forwarded-proto: wss"),
  other("vendor-headers", ...CLAIM_HEADERS.map((name) => `${name}: 6.6.6.6`)),
  other("vendor-headers-lower", ...CLAIM_HEADERS.map((name) => `${name.toLowerCase()}: 6.6.6.6`)),
  { ...forwarded("nominated", "6.6.6.6"), nominated: ["x-forwarded-for"] },
  {
    ...forwarded("nominated-all", "6.6.6.6"),
    nominated: ["X-Forwarded-For", "X-Real-IP", "X-Forwarded-Proto", "close"],
  },
  { ...other("nominated-absent"), nominated: ["X-Forwarded-For"] },
];

export const HOSTILE_REQUESTS: readonly HostileRequest[] = [...fromVectors, ...ofOurOwn];

/** One of each kind, for routes beside the two that see everything. */
export const HOSTILE_SAMPLE: readonly HostileRequest[] = ofOurOwn;
