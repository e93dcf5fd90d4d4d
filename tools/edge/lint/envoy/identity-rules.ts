import type { YAMLMap } from "yaml";
import type { Topology } from "../../edge-config.ts";
import type { Finding } from "../finding.ts";
import { BEHIND_CDN, type HeaderContent, STRANGERS } from "../header-content.ts";
import {
  CLAIMS_CLEARED,
  describeTopology,
  IDENTITY_HEADERS,
  PROVE,
  UNKNOWN_VALUE,
} from "../lint-policy.ts";
import { type Contents, followHeader } from "./headers.ts";
import type { EnvoyManager } from "./manager.ts";
import { nodeOf, type Report } from "./yaml.ts";

const FORWARDED_FOR = "X-Forwarded-For";
const OVERWRITE =
  'request_headers_to_add X-Forwarded-For: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" with append_action: OVERWRITE_IF_EXISTS_OR_ADD';

/** Whom a connection manager believes. */
export function lintTrust(
  manager: EnvoyManager,
  topology: Topology | undefined,
  report: Report,
): Finding[] {
  const { node, isRestricted, wideRanges, usesPeer, trustedHops, hasDetection } = manager;
  const findings = wideRanges.map(({ range, message }) => {
    return report(range, "trusts-everyone", message, "name the addresses of your CDN alone");
  });
  if (trustedHops > 0 && topology === "direct") {
    const message =
      "in topology direct no proxy stands before this one, so a trusted hop is the client's own word";
    const hops = nodeOf(node, "xff_num_trusted_hops");
    findings.push(report(hops, "topology-mismatch", message, "remove xff_num_trusted_hops"));
  }
  if (isRestricted) return findings;
  const mend = "a filter_chain_match with direct_source_prefix_ranges, as the rendered files have";
  if (trustedHops > 0 && topology !== "direct") {
    const message = "whoever connects is believed to be a proxy, and its list with it";
    const hops = nodeOf(node, "xff_num_trusted_hops");
    findings.push(report(hops, "trusts-everyone", message, mend));
  }
  if (hasDetection) {
    const message = "whoever connects names its own address, in a header that this reads";
    const detection = nodeOf(node, "original_ip_detection_extensions");
    findings.push(report(detection, "trusts-everyone", message, mend));
  }
  if (!usesPeer) {
    const message =
      "without use_remote_address Envoy takes the client's own list for the client's address, in rate limits and logs as well";
    const field = nodeOf(node, "use_remote_address");
    findings.push(report(field, "trusts-everyone", message, "use_remote_address: true"));
  }
  return findings;
}

/** What X-Forwarded-For is behind one route. */
export function lintForwardedFor(
  manager: EnvoyManager,
  levels: readonly YAMLMap[],
  topology: Topology | undefined,
  report: Report,
): Finding[] {
  const contents = followHeader(FORWARDED_FOR, manager, levels);
  if (manager.isRestricted && topology !== "direct" && !contents.has("client")) {
    return lintTrusted(manager, contents, topology, report);
  }
  return [...contents].flatMap(([kind, entry]) => {
    switch (kind) {
      case "peer":
        return [];
      case "client":
        return [lintUntouched(manager, contents, report)];
      case "appended": {
        const at = entry ?? nodeOf(manager.node, "use_remote_address");
        const message =
          entry === undefined
            ? "Envoy adds the address behind the client's own list"
            : "without an append_action Envoy appends, behind the client's own list";
        return [report(at, "appended-forwarded-for", message, OVERWRITE)];
      }
      case "repeated": {
        const message = "the address is sent twice, so services that count one hop see two entries";
        return [report(entry, "repeated-forwarded-for", message, OVERWRITE)];
      }
      case "unknown":
        return [report(entry, "not-followed", UNKNOWN_VALUE, PROVE)];
      case "none":
      case "constant": {
        const message = "this names no client, so all clients are one";
        return [report(entry, "missing-forwarded-for", message, OVERWRITE)];
      }
      default: {
        const message = "this comes from what the client sent, so every client chooses its address";
        return [report(entry, "passed-through-forwarded-for", message, OVERWRITE)];
      }
    }
  });
}

function lintUntouched(manager: EnvoyManager, contents: Contents, report: Report): Finding {
  const conditional = [...contents.values()].find(Boolean);
  if (conditional !== undefined) {
    const message = "a client that sends X-Forwarded-For keeps it, and so chooses its own address";
    return report(conditional, "conditional-forwarded-for", message, OVERWRITE);
  }
  const at = nodeOf(manager.node, manager.usesPeer ? "skip_xff_append" : "use_remote_address");
  const message = "the client's X-Forwarded-For gets through as it is";
  return report(at, "passed-through-forwarded-for", message, OVERWRITE);
}

/** What becomes of a list that the CDN sent. */
function lintTrusted(
  manager: EnvoyManager,
  contents: Contents,
  topology: Topology | undefined,
  report: Report,
): Finding[] {
  const found = [...contents.keys()].join();
  const at = [...contents.values()].find(Boolean) ?? manager.node;
  if (contents.has("unknown")) return [report(at, "not-followed", UNKNOWN_VALUE, PROVE)];
  if (contents.has("claimed")) {
    const message = "more of the list is taken than its last entry, and the rest is the client's";
    const mend = "xff_num_trusted_hops: 1";
    return [report(at, "passed-through-forwarded-for", message, mend)];
  }
  const wanted = { cdn: "named", "cdn-append": "appended" } as const;
  if (topology === undefined || topology === "direct") return [];
  // A route for requests in which the peers name nobody.
  if (topology === "cdn" && found === "peer" && manager.cutEntries.length > 0) return [];
  const isEntry = contents.get("appended") !== undefined;
  if (found === wanted[topology] && !isEntry) return [];
  const message = `in topology ${topology} ${describeTopology(topology)}; here the CDN's peers are not treated so`;
  const mend =
    topology === "cdn"
      ? 'use_remote_address: true, xff_num_trusted_hops: 1 and X-Forwarded-For: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"'
      : "use_remote_address: true and skip_xff_append: false, without X-Forwarded-For in request_headers_to_add";
  return [report(at, "topology-mismatch", message, mend)];
}

/** The headers beside X-Forwarded-For. */
export function lintOtherHeaders(
  manager: EnvoyManager,
  levels: readonly YAMLMap[],
  at: YAMLMap,
  report: Report,
): Finding[] {
  const bad: readonly HeaderContent[] = manager.isRestricted ? BEHIND_CDN : STRANGERS;
  const reported = followHeader(FORWARDED_FOR, manager, levels);
  const isClients = (name: string) => {
    // What X-Forwarded-For says wrongly is reported there.
    return [...followHeader(name, manager, levels)].some(([kind, entry]) => {
      return bad.includes(kind) && (entry === undefined || !reported.has(kind));
    });
  };
  const findings: Finding[] = [];
  const missing = IDENTITY_HEADERS.filter((name) => {
    // Behind a CDN the scheme is the CDN's to name.
    return isClients(name) && !(manager.isRestricted && name === "X-Forwarded-Proto");
  });
  if (missing.length > 0) {
    const message = `${missing.join(" and ")} would be the client's own here`;
    const mend = `request_headers_to_add ${missing.join(" and ")}, each with append_action: OVERWRITE_IF_EXISTS_OR_ADD`;
    findings.push(report(at, "identity-header-missing", message, mend));
  }
  const kept = CLAIMS_CLEARED.filter(isClients);
  if (kept.length > 0) {
    const message = `${kept.join(", ")} would reach the service as the client sent it`;
    const mend = `request_headers_to_remove: [${kept.join(", ")}]`;
    findings.push(report(at, "claim-header-kept", message, mend));
  }
  return findings;
}
