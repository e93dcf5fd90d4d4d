import { addressPatterns, impossiblePattern } from "./client-entry.ts";
import type { EdgeConfig } from "./edge-config.ts";
import { FORWARDED_FOR } from "./presets.ts";

/** The rules that find the client, before any header is taken away. */
export function haproxyClientRules(config: EdgeConfig): string {
  if (config.topology === "direct") {
    return `# Who the client is, is what the connection says, and so is what it speaks.
${ownScheme()}`;
  }
  return `# These peers say who the client is, and nobody else is believed. They may have ended TLS, so the
# scheme is theirs to say, too.
acl from_cdn src ${config.front.peers.join(" ")}
${ownScheme()}
${["https", "http"].map(namedScheme).join("\n")}
${config.topology === "cdn" ? resolvedClient(config) : ""}`.trimEnd();
}

function ownScheme(): string {
  return `http-request set-var(txn.scheme) str(http)
http-request set-var(txn.scheme) str(https) if { ssl_fc }`;
}

/** Of a list the last entry counts, as with addresses. */
function namedScheme(scheme: string): string {
  const last = `req.fhdr(X-Forwarded-Proto,-1),field(-1,",")`;
  return `http-request set-var(txn.scheme) str(${scheme}) if from_cdn { '${last}' -m reg -i '^[ \\t]*${scheme}[ \\t]*$' }`;
}

function resolvedClient({ front: { header, entries } }: EdgeConfig): string {
  const positions = Array.from({ length: entries }, (_, behind) => behind);
  const acls = positions.flatMap((behind) => {
    const patterns = addressPatterns(behind).map((pattern) => quoted(plainGroup(pattern)));
    const place = behind + 1;
    return [
      `acl entry_${place}_is_address req.fhdr(${FORWARDED_FOR}) -m reg ${patterns.join(" ")}`,
      `acl entry_${place}_is_impossible req.fhdr(${FORWARDED_FOR}) -m reg ${quoted(impossiblePattern(behind))}`,
    ];
  });
  const named = positions.map((behind) => {
    return `entry_${behind + 1}_is_address !entry_${behind + 1}_is_impossible`;
  });
  const replacements = addressPatterns(entries - 1).map((pattern) => {
    return `http-request replace-header ${FORWARDED_FOR} ${quoted(`^.*${plainGroup(pattern)}`)} '\\2' if from_cdn`;
  });
  return `
# Of ${header} only ${entries === 1 ? "the last entry counts" : `the last ${entries} entries count`}, in any form that services read: with brackets, a port
# or neither. Entries further left are the client's own words, so they are cut off first: to hdr_ip() a
# quote among them would swallow the comma. What names no client of theirs leaves the peer itself.
http-request set-header ${FORWARDED_FOR} '${lastEntries(header, entries)}' if from_cdn
${acls.join("\n")}
http-request set-var(txn.is_named) bool(true) if from_cdn ${named.join(" ")}
${replacements.join("\n")}
# Written out anew, so IPv4 that was written as IPv6 is found whatever its spelling.
http-request set-header ${FORWARDED_FOR} %[req.hdr_ip(${FORWARDED_FOR},-1)] if from_cdn
http-request replace-header ${FORWARDED_FOR} '^::ffff:([0-9.]+)$' '\\1' if from_cdn
http-request set-var(txn.client) src
http-request set-var(txn.client) req.fhdr(${FORWARDED_FOR}) if from_cdn { var(txn.is_named) -m bool }`;
}

/** HAProxy keeps lines apart; the last ones hold the last entries, since each has one at least. */
function lastEntries(header: string, entries: number): string {
  if (entries === 1) return `%[req.fhdr(${header}),field(-1,",")]`;
  const lines = Array.from({ length: entries }, (_, index) => entries - index);
  return lines.map((line) => `%[req.fhdr(${header},-${line})]`).join(",");
}

/** Groups are numbered here: the address is the second, behind what begins the entry. */
function plainGroup(pattern: string): string {
  return pattern.replace("(?P<ip>", "(");
}

function quoted(pattern: string): string {
  return `'${pattern}'`;
}
