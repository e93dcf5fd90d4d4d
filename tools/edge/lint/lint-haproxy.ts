import type { Topology } from "../edge-config.ts";
import { REALTIME_PATH } from "../edge-policy.ts";
import type { Finding, Rule } from "./finding.ts";
import type { Assumptions, HaproxyWorld } from "./haproxy-conditions.ts";
import {
  type Forwarded,
  findForwardFor,
  findHeaderRules,
  followHeaders,
} from "./haproxy-forwarding.ts";
import { findRewrites } from "./haproxy-rewrites.ts";
import {
  findAssumptions,
  findFrontends,
  findRoutes,
  type HaproxyRoute,
  modeOf,
} from "./haproxy-routes.ts";
import type { HaproxyLine, HaproxyReading, HaproxySection } from "./haproxy-sections.ts";
import { lintHaproxySettings, lintRealtimeTimeout } from "./haproxy-setting-rules.ts";
import { lintUnread } from "./haproxy-unread.ts";
import { BEHIND_CDN, type HeaderContent, STRANGERS } from "./header-content.ts";
import {
  CLAIMS_CLEARED,
  describeTopology,
  IDENTITY_HEADERS,
  INTERNAL_PATHS,
} from "./lint-policy.ts";
import { lintHaproxyPorts } from "./private-port-rules.ts";

const FORWARDED_FOR = "X-Forwarded-For";

const PUBLIC_PATHS = [
  "/portcullis.auth.v1.AuthService/Login",
  "/.well-known/jwks.json",
  REALTIME_PATH,
  "/gateway/realtime/why",
] as const;

const OVERWRITE = "http-request set-header X-Forwarded-For %[src], without a condition";

/** Finds every trap in one HAProxy configuration; without a topology, in the one it seems to mean. */
export function lintHaproxy(reading: HaproxyReading, given: Topology | undefined): Finding[] {
  const { sections } = reading;
  const frontends = findFrontends(sections).filter((section) => modeOf(section) === "http");
  const topology = given ?? inferTopology(sections, frontends);
  const assumptions = findAssumptions(sections);
  const findings = [
    ...reading.problems.map(({ file, line, text }) => ({
      ...{ file, line, rule: "syntax" as const, message: text },
      mend: "close every quote, and put every line into a section",
    })),
    ...frontends.flatMap((frontend) => [
      ...PUBLIC_PATHS.flatMap((path) => {
        return worldsOf(path, assumptions).flatMap((world) => {
          return lintWorld(sections, frontend, world, topology);
        });
      }),
      ...lintInternalPaths(sections, frontend, assumptions),
    ]),
    ...lintRewrites(sections),
    ...lintHaproxySettings(sections),
    ...lintUnread(sections),
    ...lintHaproxyPorts(sections),
  ];
  return withoutRepeats(findings);
}

/** A stranger's request for a path. */
function worldOf(path: string): HaproxyWorld {
  return { path, fromTrusted: false, isUpgrade: path === REALTIME_PATH, assumed: new Map() };
}

/** Strangers' requests for a path in all their kinds: anybody can ask for an upgrade anywhere. */
function worldsOf(path: string, assumptions: readonly Assumptions[]): HaproxyWorld[] {
  return assumptions.flatMap((assumed) => {
    return [true, false].map((isUpgrade) => ({ path, fromTrusted: false, isUpgrade, assumed }));
  });
}

function trusted(world: HaproxyWorld): HaproxyWorld {
  return { ...world, fromTrusted: true };
}

function inferTopology(
  sections: readonly HaproxySection[],
  frontends: readonly HaproxySection[],
): Topology {
  const found = frontends.flatMap((frontend) => {
    return PUBLIC_PATHS.flatMap((path) => {
      const stranger = worldOf(path);
      const routes = findRoutes(sections, frontend, trusted(stranger));
      const kinds = (world: HaproxyWorld) => {
        return routes.flatMap((route) => [
          ...followHeaders(route, world).contentsOf(FORWARDED_FOR).keys(),
        ]);
      };
      const own = kinds(trusted(stranger));
      // A configuration that does not tell peers apart means no CDN.
      return own.join() === kinds(stranger).join() ? [] : own;
    });
  });
  if (found.includes("appended")) return "cdn-append";
  const isNamed = (["named", "claimed", "quotable"] as const).some((kind) => found.includes(kind));
  return isNamed ? "cdn" : "direct";
}

function report(
  at: HaproxyLine | HaproxySection,
  rule: Rule,
  message: string,
  mend: string,
): Finding {
  return { file: at.file, line: at.line, rule, message, mend };
}

function lintWorld(
  sections: readonly HaproxySection[],
  frontend: HaproxySection,
  world: HaproxyWorld,
  topology: Topology,
): Finding[] {
  return findRoutes(sections, frontend, world).flatMap((route) => {
    const stranger = followHeaders(route, world);
    const peer = followHeaders(route, trusted(world));
    return [
      ...lintForwardedFor(route, stranger),
      ...lintTrusted(route, stranger, peer, topology),
      ...lintOtherHeaders(route, [stranger, peer], topology),
      ...(world.path === REALTIME_PATH && world.isUpgrade
        ? [...lintUpgrade(route, world), ...lintRealtimeTimeout(route)]
        : []),
    ];
  });
}

/** What a stranger's X-Forwarded-For becomes: it must be the connection's address alone. */
function lintForwardedFor(route: HaproxyRoute, forwarded: Forwarded): Finding[] {
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
          report(
            at ?? route.frontend,
            "repeated-forwarded-for",
            "the address is sent twice, so services that count one hop see two entries, and two hops find the same address",
            "keep set-header and remove the other",
          ),
        ];
      case "named":
      case "claimed":
      case "quotable":
        return [
          report(
            at ?? route.frontend,
            "passed-through-forwarded-for",
            "this comes from what the client sent, so every client chooses its own address",
            OVERWRITE,
          ),
        ];
      default:
        return [
          report(
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
    return report(option, "forwardfor-if-none", message, OVERWRITE);
  }
  if (forwarded.skippedBy !== undefined) {
    const message = "allow ends the processing, and the client's X-Forwarded-For gets through";
    return report(
      forwarded.skippedBy,
      "skipped-by-allow",
      message,
      "put this after the rule that replaces X-Forwarded-For",
    );
  }
  if (forwarded.notApplied !== undefined) {
    const message = "for requests outside this condition the client's X-Forwarded-For gets through";
    return report(forwarded.notApplied, "conditional-forwarded-for", message, OVERWRITE);
  }
  const message = "nothing sets X-Forwarded-For here, so whatever the client sent gets through";
  return report(route.frontend, "missing-forwarded-for", message, OVERWRITE);
}

function lintAppended(at: HaproxyLine | HaproxySection, isOption: boolean): Finding {
  if (isOption) {
    const message =
      "this adds a second line behind the client's own; readers of the first line believe the client";
    return report(at, "forwardfor-adds-line", message, OVERWRITE);
  }
  const message =
    "the client's own list stays in front, so whoever counts one hop too many, or reads from the left, believes the client";
  return report(at, "appended-forwarded-for", message, OVERWRITE);
}

/** What becomes of a list that the CDN sent. */
function lintTrusted(
  route: HaproxyRoute,
  stranger: Forwarded,
  peer: Forwarded,
  topology: Topology,
): Finding[] {
  const contents = peer.contentsOf(FORWARDED_FOR);
  const strangers = [...stranger.contentsOf(FORWARDED_FOR).keys()].join();
  const found = [...contents.keys()];
  const at = [...contents.values()].find(Boolean) ?? route.frontend;
  if (topology === "direct") {
    if (found.join() === strangers) return [];
    const message = `in topology direct ${describeTopology("direct")}; this makes a difference between peers`;
    const mend = "remove the condition, or choose the topology it is for";
    return [report(at, "topology-mismatch", message, mend)];
  }
  // A stranger's header that gets through is reported for what it is.
  if (strangers !== "peer") return [];
  if (topology === "cdn" && contents.has("claimed")) {
    const message =
      "more of the CDN's list is taken than its last entry, and the rest is what the client wrote";
    const mend = `%[req.fhdr(${FORWARDED_FOR}),field(-1,",")]`;
    return [report(contents.get("claimed") ?? at, "passed-through-forwarded-for", message, mend)];
  }
  if (topology === "cdn" && contents.has("quotable")) {
    const message =
      "to hdr() and hdr_ip() a quote among the client's words makes one entry of all that follows, so there is no last one";
    const mend = `cut it out first: http-request set-header ${FORWARDED_FOR} '%[req.fhdr(${FORWARDED_FOR}),field(-1,",")]' if from_cdn`;
    return [report(contents.get("quotable") ?? at, "quoted-list", message, mend)];
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
  return [report(at, "topology-mismatch", message, mend)];
}

function lintOtherHeaders(
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
    "X-Forwarded-Proto": "http-request set-header X-Forwarded-Proto http (or https)",
  } as const;
  const findings: Finding[] = [];
  if (missing.length > 0) {
    const message = `${missing.join(" and ")} would be the client's own here`;
    const mend = missing.map((name) => mends[name]).join("; ");
    findings.push(report(route.frontend, "identity-header-missing", message, mend));
  }
  if (kept.length > 0) {
    const message = `${kept.join(", ")} would reach the service as the client sent it`;
    const mend = kept.map((name) => `http-request del-header ${name}`).join("; ");
    findings.push(report(route.frontend, "claim-header-kept", message, mend));
  }
  return findings;
}

function lintUpgrade(route: HaproxyRoute, world: HaproxyWorld): Finding[] {
  const lost = ["Upgrade", "Connection"].filter((name) => {
    const { actions, isCertain } = findHeaderRules(route, name, world);
    return isCertain && actions.at(-1) === "del-header";
  });
  if (lost.length === 0) return [];
  const message = `${lost.join(" and ")} is deleted for ${REALTIME_PATH}, so no websocket opens`;
  const mend = `delete it unless { path ${REALTIME_PATH} }`;
  return [report(route.frontend, "upgrade-missing", message, mend)];
}

function lintInternalPaths(
  sections: readonly HaproxySection[],
  frontend: HaproxySection,
  assumptions: readonly Assumptions[],
): Finding[] {
  const exposed = INTERNAL_PATHS.filter((path) => {
    return worldsOf(path, assumptions).some((world) => {
      return findRoutes(sections, frontend, world).length > 0;
    });
  });
  if (exposed.length === 0) return [];
  const message = `${nameSome(exposed)} can be reached through this`;
  const mend = "http-request deny deny_status 404 unless the path is a public route";
  return [report(frontend, "internal-route-exposed", message, mend)];
}

function lintRewrites(sections: readonly HaproxySection[]): Finding[] {
  return findRewrites(sections, INTERNAL_PATHS, worldOf).map(({ rule, paths }) => {
    const message = `the path that this makes can be ${nameSome(paths)}, and no rule behind it refuses that`;
    const mend = "put the rule that refuses all but the public routes behind this one";
    return report(rule, "internal-route-exposed", message, mend);
  });
}

function nameSome([first = "", ...others]: readonly string[]): string {
  return others.length === 0
    ? first
    : `${first} and ${others.length} more that are not for browsers`;
}

/** Several paths lead to the same line; once is enough. */
function withoutRepeats(findings: readonly Finding[]): Finding[] {
  const seen = new Map(findings.map((one) => [`${one.file}:${one.line}:${one.rule}`, one]));
  return [...seen.values()];
}
