/**
 * The entries of X-Forwarded-For that services accept, and those that they refuse, as patterns in
 * the syntax that PCRE, RE2 and JavaScript agree on: every edge reads an address as services do.
 */

const OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
const V4 = `${OCTET}(\\.${OCTET}){3}`;
const PORT =
  "(:(0|[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?";
const GROUP = "[0-9A-Fa-f]{1,4}";

/** Groups in front of "::" and behind it; both together are at most seven. */
const COMPRESSED = [1, 2, 3, 4, 5, 6].map((before) => {
  return `(${GROUP}:){${before}}:(${GROUP}(:${GROUP}){0,${6 - before}})?`;
});

/** The same with the last 32 bits in decimal. */
const COMPRESSED_WITH_V4 = [1, 2, 3, 4, 5].map((before) => {
  return `(${GROUP}:){${before}}:(${GROUP}:){0,${5 - before}}${V4}`;
});

const V6 = `(${[
  `(${GROUP}:){7}${GROUP}`,
  `(${GROUP}:){7}:`,
  `::(${GROUP}(:${GROUP}){0,6})?`,
  ...COMPRESSED,
  `(${GROUP}:){6}${V4}`,
  `::(${GROUP}:){0,5}${V4}`,
  ...COMPRESSED_WITH_V4,
].join("|")})`;

/** What stands before an IPv4 address in IPv6: five groups of zeros, some of them left out. */
const ZERO = "(0{1,4}:)";
const ZEROS = [0, 1, 2, 3, 4].map((before) => {
  return before === 0 ? `::${ZERO}{0,4}` : `${ZERO}{${before}}:${ZERO}{0,${4 - before}}`;
});
const MAPPED = `(${ZEROS.join("|")}|${ZERO}{5})[Ff]{4}:`;

/** This network, multicast and everybody: no connection comes from those. */
const IMPOSSIBLE_V4 = `(0\\.[0-9.]+|(22[4-9]|23[0-9])\\.[0-9.]+|255\\.255\\.255\\.255)`;
/** The first half of such an address in hexadecimal. */
const IMPOSSIBLE_HALF = "(0{0,2}[0-9A-Fa-f]{1,2}|[Ee][0-9A-Fa-f]{3})";
const IMPOSSIBLE_V6 = `(${[
  "[0:]+(:0\\.0\\.0\\.0)?",
  "[Ff]{2}[0-9A-Fa-f]{2}:[0-9A-Fa-f:.]+",
  `${MAPPED}(${IMPOSSIBLE_V4}|${IMPOSSIBLE_HALF}:${GROUP}|[Ff]{4}:[Ff]{4})`,
  `${ZERO}{5}[Ff]{4}:(:(${GROUP})?|${IMPOSSIBLE_HALF}::)`,
].join("|")})`;

const BLANKS = "[ \\t]*";

const IMPOSSIBLE_ENTRY = `(${IMPOSSIBLE_V4}${PORT}|${IMPOSSIBLE_V6}|\\[${IMPOSSIBLE_V6}\\]${PORT})`;

/** Places one entry in the list: `behind` entries, whatever they are, stand to its right. */
function inList(entry: string, behind: number): string {
  return `(^|,)${BLANKS}${entry}${BLANKS}${behind === 0 ? "" : `(,[^,]*){${behind}}`}$`;
}

/** A list whose entry there is an address that no client has; goes before `addressPatterns`. */
export function impossiblePattern(behind: number): string {
  return inList(IMPOSSIBLE_ENTRY, behind);
}

/** A list whose entry there is an address, once for each form of one; the group "ip" captures it. */
export function addressPatterns(behind: number): readonly string[] {
  return [`(?P<ip>${V4})${PORT}`, `(?P<ip>${V6})`, `\\[(?P<ip>${V6})\\]${PORT}`].map((form) => {
    return inList(form, behind);
  });
}

/** The same for IPv4 that is written as IPv6; without these, before the others, it stays IPv6. */
export function mappedPatterns(behind: number): readonly string[] {
  const mapped = `${MAPPED}(?P<ip>${V4})`;
  return [inList(mapped, behind), inList(`\\[${mapped}\\]${PORT}`, behind)];
}
