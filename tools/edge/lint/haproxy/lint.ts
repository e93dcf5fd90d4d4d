import type { Topology } from "../../edge-config.ts";
import { REALTIME_PATH } from "../../edge-policy.ts";
import type { Finding } from "../finding.ts";
import { INTERNAL_PATHS } from "../lint-policy.ts";
import { type Linted, type LintOptions, NONE_OF_OURS } from "../linted.ts";
import { mayBeGateway, type OurUpstreams } from "../our-upstreams.ts";
import { lintHaproxyPorts } from "../private-port-rules.ts";
import type { Assumptions, HaproxyWorld } from "./conditions.ts";
import { reportAt } from "./finding.ts";
import { findHeaderRules, followHeaders } from "./forwarding.ts";
import { lintForwardedFor, lintOtherHeaders, lintTrusted } from "./identity-rules.ts";
import { lintProxyProtocol, lintTcpMode } from "./proxy-protocol.ts";
import { findRewrites } from "./rewrites.ts";
import { findAssumptions, findFrontends, findRoutes, type HaproxyRoute, modeOf } from "./routes.ts";
import type { HaproxyReading, HaproxySection } from "./sections.ts";
import { lintHaproxySettings, lintRealtimeTimeout } from "./setting-rules.ts";
import { lintUnread } from "./unread.ts";
import { addressesOf, readOurUpstreams } from "./upstreams.ts";

const FORWARDED_FOR = "X-Forwarded-For";

const PUBLIC_PATHS = [
  "/portcullis.auth.v1.AuthService/Login",
  "/.well-known/jwks.json",
  REALTIME_PATH,
  "/gateway/realtime/why",
] as const;

/** Finds every trap in one HAProxy configuration; without a topology, in the one it seems to mean. */
export function lintHaproxy(reading: HaproxyReading, options: LintOptions): Linted {
  const { sections } = reading;
  const ours = readOurUpstreams(sections, worldOf, options.upstreams);
  const frontends = findFrontends(sections).filter((section) => modeOf(section) === "http");
  const topology = options.topology ?? inferTopology(sections, frontends, ours);
  const forwards = sections.some((section) => addressesOf(section).length > 0);
  return {
    findings: findAll(reading, { sections, frontends, topology, ours }, (frontend) => {
      // Services of ours have one topology; other applications have each their own.
      if (ours.isAnyKnown) return topology;
      return options.topology ?? inferTopology(sections, [frontend], ours);
    }),
    topology,
    read: findFrontends(sections).some(isListening) ? "all" : "nothing",
    notes: forwards && !ours.isAnyKnown ? [NONE_OF_OURS] : [],
  };
}

function isListening({ lines }: HaproxySection): boolean {
  return lines.some(({ words: [first = ""] }) =>
    /^(bind|server|(use|default)_backend)$/.test(first),
  );
}

type HaproxyContext = {
  sections: readonly HaproxySection[];
  /** Those that take HTTP. */
  frontends: readonly HaproxySection[];
  topology: Topology;
  ours: OurUpstreams;
};

function findAll(
  reading: HaproxyReading,
  context: HaproxyContext,
  topologyOf: (frontend: HaproxySection) => Topology,
): Finding[] {
  const { sections, frontends, ours } = context;
  const assumptions = findAssumptions(sections);
  return [
    ...reading.problems.map(({ file, line, text }) => ({
      ...{ file, line, rule: "syntax" as const, message: text },
      mend: "close every quote, and put every line into a section",
    })),
    ...frontends.flatMap((frontend) => [
      ...PUBLIC_PATHS.flatMap((path) => {
        return worldsOf(path, assumptions).flatMap((world) => {
          return lintWorld(frontend, world, { ...context, topology: topologyOf(frontend) });
        });
      }),
      ...lintInternalPaths(frontend, assumptions, context),
    ]),
    ...lintRewrites(sections, ours),
    ...lintHaproxySettings(sections, ours),
    ...lintProxyProtocol(sections, ours),
    ...lintTcpMode(sections, ours),
    ...lintUnread(sections),
    ...lintHaproxyPorts(sections, ours),
  ];
}

/** Whether what a route does to headers matters here; where nothing is ours, it is looked at. */
function isJudged({ backend }: HaproxyRoute, ours: OurUpstreams): boolean {
  return !ours.isAnyKnown || ours.isAmong(addressesOf(backend));
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
  ours: OurUpstreams,
): Topology {
  const found = frontends.flatMap((frontend) => {
    return PUBLIC_PATHS.flatMap((path) => {
      const stranger = worldOf(path);
      const routes = findRoutes(sections, frontend, trusted(stranger)).filter((route) => {
        return isJudged(route, ours);
      });
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

function lintWorld(
  frontend: HaproxySection,
  world: HaproxyWorld,
  { sections, topology, ours }: HaproxyContext,
): Finding[] {
  const routes = findRoutes(sections, frontend, world).filter((route) => isJudged(route, ours));
  return routes.flatMap((route) => {
    const isRealtime =
      ours.isAnyKnown &&
      world.path === REALTIME_PATH &&
      world.isUpgrade &&
      mayBeGateway(addressesOf(route.backend));
    const place = `${route.frontend.line} ${route.backend.line}`;
    const stranger = followHeaders(route, world);
    const peer = followHeaders(route, trusted(world));
    const findings = [
      ...lintForwardedFor(route, stranger),
      ...lintTrusted(route, stranger, peer, topology),
      // What another application reads beside the address is its own affair.
      ...(ours.isAnyKnown ? lintOtherHeaders(route, [stranger, peer], topology) : []),
      ...(isRealtime ? [...lintUpgrade(route, world), ...lintRealtimeTimeout(route)] : []),
    ];
    return findings.map((finding) => ({ ...finding, place }));
  });
}

function lintUpgrade(route: HaproxyRoute, world: HaproxyWorld): Finding[] {
  const lost = ["Upgrade", "Connection"].filter((name) => {
    const { actions, isCertain } = findHeaderRules(route, name, world);
    return isCertain && actions.at(-1) === "del-header";
  });
  if (lost.length === 0) return [];
  const message = `${lost.join(" and ")} is deleted for ${REALTIME_PATH}, so no websocket opens`;
  const mend = `delete it unless { path ${REALTIME_PATH} }`;
  return [reportAt(route.frontend, "upgrade-missing", message, mend)];
}

function lintInternalPaths(
  frontend: HaproxySection,
  assumptions: readonly Assumptions[],
  { sections, ours }: HaproxyContext,
): Finding[] {
  if (!ours.isAnyKnown) return [];
  const exposed = INTERNAL_PATHS.filter((path) => {
    return worldsOf(path, assumptions).some((world) => {
      return findRoutes(sections, frontend, world).some((route) => isJudged(route, ours));
    });
  });
  if (exposed.length === 0) return [];
  const message = `${nameSome(exposed)} can be reached through this`;
  const mend = "http-request deny deny_status 404 unless the path is a public route";
  return [reportAt(frontend, "internal-route-exposed", message, mend)];
}

function lintRewrites(sections: readonly HaproxySection[], ours: OurUpstreams): Finding[] {
  const isOurs = (backend: HaproxySection) => {
    return ours.isAnyKnown && ours.isAmong(addressesOf(backend));
  };
  return findRewrites(sections, INTERNAL_PATHS, worldOf, isOurs).map(({ rule, paths }) => {
    const message = `the path that this makes can be ${nameSome(paths)}, and no rule behind it refuses that`;
    const mend = "put the rule that refuses all but the public routes behind this one";
    return reportAt(rule, "internal-route-exposed", message, mend);
  });
}

function nameSome([first = "", ...others]: readonly string[]): string {
  return others.length === 0
    ? first
    : `${first} and ${others.length} more that are not for browsers`;
}
