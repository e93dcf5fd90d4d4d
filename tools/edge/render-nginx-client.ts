import { addressPatterns, impossiblePattern, mappedPatterns } from "./client-entry.ts";
import type { EdgeConfig } from "./edge-config.ts";
import { indent } from "./render-text.ts";

/** Which variables of nginx say who the client is, and over what it speaks. */
export function nginxClientVariables({ topology }: EdgeConfig) {
  const forwardedFor = { direct: "$remote_addr", cdn: CLIENT, "cdn-append": "$portcullis_list" };
  const realIp = { direct: "$remote_addr", cdn: CLIENT, "cdn-append": '""' };
  return {
    forwardedFor: forwardedFor[topology],
    realIp: realIp[topology],
    scheme: topology === "direct" ? "$scheme" : "$portcullis_scheme",
  };
}

const CLIENT = "$portcullis_client";

/** The maps that find the client in what trusted peers write. */
export function nginxClientMaps(config: EdgeConfig): string {
  if (config.topology === "direct") return "";
  return `
# These peers say who the client is, and nobody else is believed.
geo $portcullis_from_peer {
    default 0;
${config.front.peers.map((range) => `    ${range} 1;`).join("\n")}
}
# They may have ended TLS, so the scheme is theirs to say, too; of a list the last entry counts.
map "$portcullis_from_peer $http_x_forwarded_proto" $portcullis_scheme {
    default $scheme;
    "~*^1 (.*,)?[ \\t]*http[ \\t]*$" http;
    "~*^1 (.*,)?[ \\t]*https[ \\t]*$" https;
}
${config.topology === "cdn-append" ? appendedList() : resolvedClient(config)}`;
}

function appendedList(): string {
  return `
# For a connection from such a peer the list it sent is kept and its address is added, so services
# count two hops. From anybody else the list is replaced by the peer's address.
map $http_x_forwarded_for $portcullis_appended {
    default "$http_x_forwarded_for, $remote_addr";
    "" $remote_addr;
}
map $portcullis_from_peer $portcullis_list {
    default $remote_addr;
    1 $portcullis_appended;
}
`;
}

function resolvedClient({ front: { header, entries } }: EdgeConfig): string {
  const list = `$http_${header.toLowerCase().replaceAll("-", "_")}`;
  const positions = Array.from({ length: entries }, (_, behind) => behind);
  const named = positions.map((behind) => entryVariable(behind));
  const others = named.slice(0, -1).map(() => "[^ ]+ ");
  return `
# Of the header only ${entries === 1 ? "the last entry counts" : `the last ${entries} entries count`}, in any form that services read: with brackets, a
# port or neither. Entries further left are the client's own words. What names no client of theirs
# leaves the peer itself.
${positions.map((behind) => entryMap(list, behind)).join("\n")}
map "$portcullis_from_peer ${named.join(" ")}" $portcullis_client {
    default $remote_addr;
    "~^1 ${others.join("")}(?P<portcullis_named>[^ ]+)$" $portcullis_named;
}
`;
}

function entryVariable(behind: number): string {
  return `$portcullis_entry_${behind + 1}`;
}

function entryMap(list: string, behind: number): string {
  const name = `portcullis_ip_${behind + 1}`;
  const patterns = [...mappedPatterns(behind), ...addressPatterns(behind)];
  const found = patterns.map((pattern) => {
    return `"~${pattern.replace("(?P<ip>", `(?P<${name}>`)}" $${name};`;
  });
  return `map ${list} ${entryVariable(behind)} {
    default "";
    "~${impossiblePattern(behind)}" "";
${indent(4, found.join("\n"))}
}`;
}
