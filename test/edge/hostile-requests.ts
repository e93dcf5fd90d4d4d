import { CLAIM_HEADERS } from "../../tools/edge/edge-policy.ts";
import vectors from "../vectors/client-ip.json" with { type: "json" };

/** One way of lying about an address, as the header lines of a request. */
export type HostileRequest = {
  id: string;
  /** Raw header lines, without Host and Connection. */
  lines: readonly string[];
  /** The values of X-Forwarded-For, line by line, as every correct server reads them. */
  forwardedLines: readonly string[];
  /** The schemes that it may mean when a trusted peer sends it; http for all others. */
  schemes?: readonly string[];
  /** What the Connection header nominates, beside its own purpose. */
  nominated?: readonly string[];
};

/** Addresses in every form that services read, and in forms near to those. */
const FORMS = [
  ...["203.0.113.9", "203.0.113.9:0", "203.0.113.9:65535", "203.0.113.9:65536", "203.0.113.9:080"],
  ...["2001:db8::7", "[2001:db8::7]", "[2001:db8::7]:51234", "2001:DB8::AB", "[2001:DB8::AB]:1"],
  ...[
    "::ffff:203.0.113.9",
    "[::FFFF:203.0.113.9]:80",
    "::ffff:cb00:7109",
    "0:0:0:0:0:ffff:1.2.3.4",
  ],
  ...[
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7::",
    "::2:3:4:5:6:7:8",
    "64:ff9b::192.0.2.1",
    "fe80::1%eth0",
  ],
  ...[
    "\t 203.0.113.9 \t",
    "[203.0.113.9]:80",
    "203.0.113.09",
    "1:2:3",
    "[2001:db8::7",
    "::",
    "[::]:1",
  ],
  ...["0.1.2.3", "224.0.0.1:80", "[ff02::1]", "::ffff:224.0.0.1", "::ffff:e000:1", "for=1.2.3.4"],
  ...[
    '"203.0.113.9"',
    "203.0.113.9/32",
    "203.0.113.9.",
    "203.0.113.9,",
    "203.0.113.9;",
    "2001:db8::7:",
  ],
];

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
  {
    ...other("proto-two-lines", "X-Forwarded-Proto: https", "x-forwarded-proto: wss"),
    schemes: ["http", "https"],
  },
  { ...other("proto-https", "X-Forwarded-Proto: https"), schemes: ["https"] },
  { ...other("proto-list", "x-forwarded-proto: http ,\thttps"), schemes: ["https"] },
  { ...other("proto-other", "X-Forwarded-Proto: javascript"), schemes: ["http"] },
  other("cookies", "Cookie: a=b", "cookie: c=d"),
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

/** Every form of the last entry, alone and behind words of the client's own, for proxies alone. */
export const FORM_REQUESTS: readonly HostileRequest[] = FORMS.flatMap((form, index) => [
  forwarded(`form-${index}`, form),
  forwarded(`form-${index}-after-words`, `"x, 6.6.6.6`, `unknown,${form}`),
]);

/** One of each kind, for routes beside the two that see everything. */
export const HOSTILE_SAMPLE: readonly HostileRequest[] = ofOurOwn;
