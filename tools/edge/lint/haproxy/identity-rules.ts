import type { Topology } from "../../edge-config.ts";
import type { Finding } from "../finding.ts";
import { BEHIND_CDN, type HeaderContent, STRANGERS } from "../header-content.ts";
import {
  CLAIMS_CLEARED,
  describeTopology,
  IDENTITY_HEADERS,
  mendScheme,
  PORT_BEHIND,
  PROVE,
  UNKNOWN_VALUE,
} from "../lint-policy.ts";
import { reportAt } from "./finding.ts";
import { type Forwarded, findForwardFor } from "./forwarding.ts";
import type { HaproxyRoute } from "./routes.ts";
import type { HaproxyLine, HaproxySection } from "./sections.ts";

const FORWARDED_FOR = "X-Forwarded-For";

const OVERWRITE = "http-request set-header X-Forwarded-For %[src], without a condition";

/** What a stranger's X-Forwarded-For becomes: it must be the connection's address alone. */
export function lintForwardedFor(route: HaproxyRoute, forwarded: Forwarded): Finding[] {
  const option = findForwardFor(route, FORWARDED_FOR);
  return [...forwarded.contentsOf(FORWARDED_FOR)].flatMap(([content, at]) => {
    switch (content) {
      case "peer":
        return [];
      case "client":
        return [lintUntouched(route, forwarded, option)];
      case "appended":
        return [lintAppended(at ?? route.frontend, at !== undefined && at === option)];
      case "repeated":
        return [
          reportAt(
            at ?? route.frontend,
            "repeated-forwarded-for",
            "the address is sent twice, so services that count one hop see two entries, and two hops find the same address",
            "keep set-header and remove the other",
          ),
        ];
      case "with-port":
      case "bracketed":
        return [reportAt(at ?? route.frontend, "ambiguous-port", PORT_BEHIND[content], OVERWRITE)];
      case "unknown":
        return [reportAt(at ?? route.frontend, "not-followed", UNKNOWN_VALUE, PROVE)];
      case "named":
      case "claimed":
      case "quotable":
        return [
          reportAt(
            at ?? route.frontend,
            "passed-through-forwarded-for",
            "this comes from what the client sent, so every client chooses its own address",
            OVERWRITE,
          ),
        ];
      default:
        return [
          reportAt(
            at ?? route.frontend,
            "missing-forwarded-for",
            "this names no client, so all clients are one",
            OVERWRITE,
          ),
        ];
    }
  });
}

function lintUntouched(
  route: HaproxyRoute,
  forwarded: Forwarded,
  option: HaproxyLine | undefined,
): Finding {
  if (option?.words.includes("if-none") === true) {
    const message = "a client that sends X-Forwarded-For keeps it, and so chooses its own address";
    return reportAt(option, "forwardfor-if-none", message, OVERWRITE);
  }
  if (forwarded.skippedBy !== undefined) {
    const message = "allow ends the processing, and the client's X-Forwarded-For gets through";
    return reportAt(
      forwarded.skippedBy,
      "skipped-by-allow",
      message,
      "put this after the rule that replaces X-Forwarded-For",
    );
  }
  if (forwarded.notApplied !== undefined) {
    const message = "for requests outside this condition the client's X-Forwarded-For gets through";
    // Without its condition a line that believes a header would believe everybody's.
    const mend = `in front of this line, which keeps its condition: ${OVERWRITE}`;
    return reportAt(forwarded.notApplied, "conditional-forwarded-for", message, mend);
  }
  const message = "nothing sets X-Forwarded-For here, so whatever the client sent gets through";
  return reportAt(route.frontend, "missing-forwarded-for", message, OVERWRITE);
}

function lintAppended(at: HaproxyLine | HaproxySection, isOption: boolean): Finding {
  if (isOption) {
    const message =
      "this adds a second line behind the client's own; readers of the first line believe the client";
    return reportAt(at, "forwardfor-adds-line", message, OVERWRITE);
  }
  const message =
    "the client's own list stays in front, so whoever counts one hop too many, or reads from the left, believes the client";
  return reportAt(at, "appended-forwarded-for", message, OVERWRITE);
}

/** What becomes of a list that the CDN sent. */
export function lintTrusted(
  route: HaproxyRoute,
  stranger: Forwarded,
  peer: Forwarded,
  topology: Topology,
): Finding[] {
  const contents = peer.contentsOf(FORWARDED_FOR);
  const strangers = [...stranger.contentsOf(FORWARDED_FOR).keys()].join();
  const found = [...contents.keys()];
  const at = [...contents.values()].find(Boolean) ?? route.frontend;
  if (contents.has("unknown")) return [reportAt(at, "not-followed", UNKNOWN_VALUE, PROVE)];
  if (topology === "direct") {
    if (found.join() === strangers) return [];
    const message = `in topology direct ${describeTopology("direct")}; this makes a difference between peers`;
    const mend = found.every((kind) => kind === "peer")
      ? `${OVERWRITE}, in place of all the lines that set it`
      : "remove the whole line; never its condition alone, or every client chooses its address. If a proxy of these addresses stands in front, choose the topology it is for";
    return [reportAt(at, "topology-mismatch", message, mend)];
  }
  // A stranger's header that gets through is reported for what it is.
  if (strangers !== "peer") return [];
  if (topology === "cdn" && contents.has("claimed")) {
    const message =
      "more of the CDN's list is taken than its last entry, and the rest is what the client wrote";
    const mend = `%[req.fhdr(${FORWARDED_FOR}),field(-1,",")]`;
    return [reportAt(contents.get("claimed") ?? at, "passed-through-forwarded-for", message, mend)];
  }
  if (topology === "cdn" && contents.has("quotable")) {
    const message =
      "to hdr() and hdr_ip() a quote among the client's words makes one entry of all that follows, so there is no last one";
    const mend = `cut it out first: http-request set-header ${FORWARDED_FOR} '%[req.fhdr(${FORWARDED_FOR}),field(-1,",")]' if from_cdn`;
    return [reportAt(contents.get("quotable") ?? at, "quoted-list", message, mend)];
  }
  const fits =
    topology === "cdn"
      ? contents.has("named") && found.every((kind) => kind === "named" || kind === "peer")
      : found.join() === "appended";
  if (fits) return [];
  const message = `in topology ${topology} ${describeTopology(topology)}; here the CDN's peers are not treated so`;
  const mend =
    topology === "cdn"
      ? "take the last entry of X-Forwarded-For for the CDN's addresses: acl from_cdn src …"
      : "http-request del-header X-Forwarded-For if !from_cdn, then http-request add-header X-Forwarded-For %[src]";
  return [reportAt(at, "topology-mismatch", message, mend)];
}

/** The headers beside X-Forwarded-For. */
export function lintOtherHeaders(
  route: HaproxyRoute,
  [stranger, peer]: readonly [Forwarded, Forwarded],
  topology: Topology,
): Finding[] {
  // With "allow" everything behind it is skipped, which is one trap and not three.
  const isSkipped = stranger.skippedBy !== undefined;
  if (isSkipped && stranger.contentsOf(FORWARDED_FOR).has("client")) return [];
  const isClients = (name: string, forwarded: Forwarded, kinds: readonly HeaderContent[]) => {
    // What X-Forwarded-For says wrongly is reported there.
    const reported = forwarded.contentsOf(FORWARDED_FOR);
    return [...forwarded.contentsOf(name)].some(([kind, at]) => {
      return kinds.includes(kind) && (at === undefined || !reported.has(kind));
    });
  };
  const missing = IDENTITY_HEADERS.filter((name) => {
    // Behind a CDN the scheme is the CDN's to name.
    const isTrusted = name !== "X-Forwarded-Proto" && isClients(name, peer, BEHIND_CDN);
    return isTrusted || isClients(name, stranger, STRANGERS);
  });
  const kept = CLAIMS_CLEARED.filter((name) => {
    return isClients(name, peer, BEHIND_CDN) || isClients(name, stranger, STRANGERS);
  });
  const realIp = topology === "cdn-append" ? "del-header X-Real-IP" : "set-header X-Real-IP %[src]";
  const mends = {
    "X-Real-IP": `http-request ${realIp}`,
    "X-Forwarded-Proto": mendSchemeOf(route.frontend),
  } as const;
  const findings: Finding[] = [];
  if (missing.length > 0) {
    const message = `${missing.join(" and ")} would be what the sender of the request wrote`;
    const mend = missing.map((name) => mends[name]).join("; ");
    findings.push(reportAt(route.frontend, "identity-header-missing", message, mend));
  }
  if (kept.length > 0) {
    const message = `${kept.join(", ")} would reach the service as the client sent it`;
    const mend = kept.map((name) => `http-request del-header ${name}`).join("; ");
    findings.push(reportAt(route.frontend, "claim-header-kept", message, mend));
  }
  return findings;
}

/** Only where this proxy ends TLS does it know the scheme. */
function mendSchemeOf({ lines }: HaproxySection): string {
  const set = "http-request set-header X-Forwarded-Proto";
  const ends = lines.some(({ words }) => words[0] === "bind" && words.includes("ssl"));
  if (ends) return `${set} http, and behind it ${set} https if { ssl_fc }`;
  return mendScheme(`${set} http`, "https");
}
