import type { Topology } from "../edge-config.ts";
import { REALTIME_PATH } from "../edge-policy.ts";
import type { Finding, Rule } from "./finding.ts";
import type { HaproxyWorld } from "./haproxy-conditions.ts";
import {
  type Forwarded,
  findForwardFor,
  findHeaderRules,
  followForwardedFor,
} from "./haproxy-forwarding.ts";
import { findFrontends, findRoutes, type HaproxyRoute, modeOf } from "./haproxy-routes.ts";
import type { HaproxyLine, HaproxyReading, HaproxySection } from "./haproxy-sections.ts";
import { lintHaproxySettings, lintRealtimeTimeout } from "./haproxy-setting-rules.ts";
import {
  CLAIMS_CLEARED,
  describeTopology,
  IDENTITY_HEADERS,
  INTERNAL_PATHS,
} from "./lint-policy.ts";

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
  const findings = [
    ...reading.problems.map(({ file, line, text }) => ({
      ...{ file, line, rule: "syntax" as const, message: text },
      mend: "close every quote, and put every line into a section",
    })),
    ...frontends.flatMap((frontend) => [
      ...PUBLIC_PATHS.flatMap((path) => lintPath(sections, frontend, path, topology)),
      ...lintInternalPaths(sections, frontend),
    ]),
    ...lintHaproxySettings(sections),
  ];
  return withoutRepeats(findings);
}

function worldOf(path: string, fromTrusted: boolean): HaproxyWorld {
  return { path, fromTrusted, isUpgrade: path === REALTIME_PATH };
}

function inferTopology(
  sections: readonly HaproxySection[],
  frontends: readonly HaproxySection[],
): Topology {
  const trusted = frontends.flatMap((frontend) => {
    return PUBLIC_PATHS.flatMap((path) => {
      const world = worldOf(path, true);
      const routes = findRoutes(sections, frontend, world);
      const kinds = (inWorld: HaproxyWorld) => {
        return routes.flatMap((route) => [...followForwardedFor(route, inWorld).contents.keys()]);
      };
      const strangers = kinds(worldOf(path, false)).join();
      const own = kinds(world);
      // A configuration that does not tell peers apart means no CDN.
      return own.join() === strangers ? [] : own;
    });
  });
  if (trusted.includes("appended")) return "cdn-append";
  return trusted.includes("named") ? "cdn" : "direct";
}

function report(
  at: HaproxyLine | HaproxySection,
  rule: Rule,
  message: string,
  mend: string,
): Finding {
  return { file: at.file, line: at.line, rule, message, mend };
}

function lintPath(
  sections: readonly HaproxySection[],
  frontend: HaproxySection,
  path: string,
  topology: Topology,
): Finding[] {
  const world = worldOf(path, false);
  return findRoutes(sections, frontend, world).flatMap((route) => [
    ...lintForwardedFor(route, world),
    ...lintTrusted(route, path, topology),
    ...lintOtherHeaders(route, world, topology),
    ...(path === REALTIME_PATH
      ? [...lintUpgrade(route, world), ...lintRealtimeTimeout(route)]
      : []),
  ]);
}

/** What a stranger's X-Forwarded-For becomes: it must be the connection's address alone. */
function lintForwardedFor(route: HaproxyRoute, world: HaproxyWorld): Finding[] {
  const forwarded = followForwardedFor(route, world);
  const option = findForwardFor(route);
  return [...forwarded.contents].flatMap(([content, at]) => {
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
function lintTrusted(route: HaproxyRoute, path: string, topology: Topology): Finding[] {
  const { contents } = followForwardedFor(route, worldOf(path, true));
  const strangers = followForwardedFor(route, worldOf(path, false)).contents;
  const found = [...contents.keys()].join();
  const isDistinct = found !== [...strangers.keys()].join();
  const at = [...contents.values()].find(Boolean) ?? route.frontend;
  if (topology === "direct") {
    if (!isDistinct) return [];
    const message = `in topology direct ${describeTopology("direct")}; this makes a difference between peers`;
    return [
      report(
        at,
        "topology-mismatch",
        message,
        "remove the condition, or choose the topology it is for",
      ),
    ];
  }
  const fits = topology === "cdn" ? contents.has("named") : found === "appended";
  // A stranger's header that gets through is reported for what it is.
  if (fits || [...strangers.keys()].join() !== "peer") return [];
  const message = `in topology ${topology} ${describeTopology(topology)}; here the CDN's peers are treated like everybody`;
  const mend =
    topology === "cdn"
      ? "take the last entry of X-Forwarded-For for the CDN's addresses: acl from_cdn src …"
      : "http-request del-header X-Forwarded-For if !from_cdn, then http-request add-header X-Forwarded-For %[src]";
  return [report(at, "topology-mismatch", message, mend)];
}

function lintOtherHeaders(route: HaproxyRoute, world: HaproxyWorld, topology: Topology): Finding[] {
  const missing = IDENTITY_HEADERS.filter((name) => {
    const { actions } = findHeaderRules(route, name, world);
    return !actions.includes("set-header") && !actions.includes("del-header");
  });
  const kept = CLAIMS_CLEARED.filter((name) => {
    const { actions, isCertain } = findHeaderRules(route, name, world);
    return !(isCertain && actions.includes("del-header"));
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
): Finding[] {
  const exposed = INTERNAL_PATHS.filter((path) => {
    return findRoutes(sections, frontend, worldOf(path, false)).length > 0;
  });
  if (exposed.length === 0) return [];
  const rest =
    exposed.length > 1 ? ` and ${exposed.length - 1} more that are not for browsers` : "";
  const message = `${exposed[0]}${rest} can be reached through this`;
  const mend = "http-request deny deny_status 404 unless the path is a public route";
  return [report(frontend, "internal-route-exposed", message, mend)];
}

/** Several paths lead to the same line; once is enough. */
function withoutRepeats(findings: readonly Finding[]): Finding[] {
  const seen = new Map(findings.map((one) => [`${one.file}:${one.line}:${one.rule}`, one]));
  return [...seen.values()];
}
