import type { HeaderContent } from "../header-content.ts";

/** What is known where a value is read. */
export type Sources = {
  header: (name: string) => Iterable<HeaderContent>;
  variable: (name: string) => Iterable<HeaderContent>;
  src: Iterable<HeaderContent>;
};

const FORWARDED_FOR = "x-forwarded-for";

/** Samples that a client has no say in. */
const OWN =
  /^(str|int|bool|ipv4|ipv6|bin|env|date|hostname|proc|uuid|rand|always_(true|false)|ssl_fc\w*|dst\w*|src_port|fc_dst\w*|f[ec]_\w+|be_\w+|nb\w+|so_id|unique-id)$/;

/** Variables of the log format that a client has no say in. */
const OWN_LOG = /^(cp|f|fi|fp|ft|b|bi|bp|s|si|sp|T|t|pid|H|ID|rt|ms|Ts|lc|rc)$/;

/** A log format: samples in "%[…]", variables behind "%", and text between them. */
export function readFormat(format: string, sources: Sources): ReadonlySet<HeaderContent> {
  const port = /^(\[?)(?:%\[src\]|%ci)\]?:(?:%\[src_port\]|%cp)$/.exec(format.trim());
  if (port !== null && [...sources.src].join() === "peer") {
    return new Set([port[1] === "[" ? ("bracketed" as const) : ("with-port" as const)]);
  }
  const text = format;
  const placeholders = [
    ...text.matchAll(/%\[((?:"[^"]*"|'[^']*'|[^\]])*)\]|%(?:\{[^}]*\})?([A-Za-z]+)/g),
  ];
  const parts = placeholders.map(([, expression, variable]) => {
    return expression === undefined
      ? readLogVariable(variable ?? "", sources)
      : readExpression(expression, sources);
  });
  const [first] = parts;
  if (first === undefined) return new Set(["constant"]);
  if (placeholders[0]?.[0] === text.trim()) return first;
  const kinds = parts.flatMap((part) => [...part]);
  const peers = kinds.filter((kind) => kind === "peer" || kind === "repeated");
  const isClients = kinds.some((kind) => !["peer", "repeated", "none", "constant"].includes(kind));
  if (kinds.includes("unknown")) return new Set(["unknown"]);
  if (isClients) return new Set([peers.length > 0 ? "appended" : "claimed"]);
  return new Set([peers.length > 1 ? "repeated" : "constant"]);
}

function readLogVariable(name: string, sources: Sources): ReadonlySet<HeaderContent> {
  if (name === "ci") return new Set(sources.src);
  return new Set([OWN_LOG.test(name) ? "constant" : "named"]);
}

/** A sample: a fetch and the converters it goes through. What is not known is the client's. */
export function readExpression(expression: string, sources: Sources): ReadonlySet<HeaderContent> {
  const [sample = "", ...converters] = splitAtCommas(expression.trim());
  const match = /^([\w.-]+)(?:\((.*)\))?$/.exec(sample.trim());
  const [, fetch = "", argument = ""] = match ?? [];
  if (fetch === "src" || fetch === "fc_src") {
    const kinds = fetch === "src" ? sources.src : (["peer"] as const);
    return convert(new Set(kinds), converters);
  }
  if (fetch === "var") return convert(new Set(sources.variable(nameIn(argument))), converters);
  if (/^(req\.)?(f|s)?hdr(_ip|_val)?$/.test(fetch)) {
    const kinds = [...sources.header(nameIn(argument))];
    return new Set(kinds.map((kind) => readHeader(kind, fetch, argument, converters)));
  }
  if (OWN.test(fetch)) return new Set(["constant"]);
  return new Set([CLIENTS.test(fetch) ? "named" : "unknown"]);
}

/** Samples that a client fills as it likes. */
const CLIENTS =
  /^(req[._]\w+|s?hdr\w*|url\w*|path\w*|query|base\w*|method|cook\w*|scook\w*|capture\.\w+|payload\w*|http_auth\w*|ssl_c_\w+|ssl_fc_(sni|alpn|npn)|baseq|pathq)(\.\w+)*$/;

/** Converters that keep an address, and those after which it names nobody. */
const KEEPS = /^(lower|upper|ltrim|rtrim|strip|trim)\b/;
const LOSES =
  /^(ipmask|hex|base64|crc32c?|djb2|sdbm|wt6|xxh(32|64|3)|sha[12]|digest|hmac|mod|add|and|or|bool|not|even|odd|length)\b/;

function nameIn(argument: string): string {
  return (argument.split(",", 1)[0] ?? "").trim();
}

function convert(
  kinds: ReadonlySet<HeaderContent>,
  converters: readonly string[],
): ReadonlySet<HeaderContent> {
  const converted = [...kinds].map((kind) => {
    if (kind === "claimed" && takesLast(converters)) return "named";
    if (kind !== "peer" || converters.every((one) => KEEPS.test(one))) return kind;
    return converters.some((one) => LOSES.test(one)) ? "constant" : "unknown";
  });
  return new Set(converted);
}

function takesLast([first = ""]: readonly string[]): boolean {
  return /^(field|word)\(-1,["']?,["']?(,1)?\)$/.test(first.trim());
}

function readHeader(
  kind: HeaderContent,
  fetch: string,
  argument: string,
  converters: readonly string[],
): HeaderContent {
  if (kind === "none") return "constant";
  if (kind === "repeated") return "peer";
  if (kind !== "client" && kind !== "appended") return kind;
  const [name = "", occurrence = "-1"] = argument.split(",").map((part) => part.trim());
  if (name.toLowerCase() !== FORWARDED_FOR) return "named";
  if (occurrence !== "-1") return "claimed";
  if (/fhdr/.test(fetch)) return takesLast(converters) ? "named" : "claimed";
  // Of the entries the last; what stands in quotes is one entry to HAProxy.
  return "quotable";
}

/** Splits at commas that stand in no parentheses and no quotes. */
function splitAtCommas(text: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const [piece] of text.matchAll(/"[^"]*"|'[^']*'|[\s\S]/g)) {
    if (piece === "(") depth += 1;
    if (piece === ")") depth -= 1;
    if (piece === "," && depth === 0) parts.push("");
    else parts.push(`${parts.pop() ?? ""}${piece}`);
  }
  return parts;
}
