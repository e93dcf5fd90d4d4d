import { PRIVATE_PORTS, REALTIME_PATH } from "../edge-policy.ts";
import type { Rule } from "../lint/finding.ts";
import type { OurUpstreams } from "../lint/our-upstreams.ts";
import { SPOOFED_V4 } from "../spoof.ts";
import type { ClientInputs } from "./client-inputs.ts";
import type { Discovered } from "./discover.ts";
import type { Fault, FaultAt, Observation } from "./finding.ts";
import { judgeExposure } from "./judge-exposure.ts";
import { judgeIdentity, judgeUpgrade } from "./judge-identity.ts";
import type { Observe } from "./observe.ts";
import { privateRequests } from "./private-requests.ts";
import type { RecordedRequest } from "./recorder.ts";
import { HONEST, type Lie, type ProveRoute, sampleOf } from "./requests.ts";

/** What is wrong whichever application is asked: what it is told about the client's address. */
const ALWAYS: ReadonlySet<Rule> = new Set<Rule>([
  "missing-forwarded-for",
  "appended-forwarded-for",
  "passed-through-forwarded-for",
  "forwardfor-adds-line",
  "repeated-forwarded-for",
  "identity-header-missing",
]);

/** The faults of one request, at those upstreams that are judged. */
function faultsOf(
  observation: Observation,
  ours: OurUpstreams,
  judge: (recorded: RecordedRequest) => readonly Fault[],
): FaultAt[] {
  const judged = observation.reached.filter(({ upstream }) => {
    return !ours.isAnyKnown || ours.isAmong([upstream]);
  });
  return judged.flatMap(({ upstream, recorded }) => {
    const faults = judge(recorded).filter(({ rule }) => ours.isAnyKnown || ALWAYS.has(rule));
    return faults.map((fault) => ({ observation, upstream, fault }));
  });
}

/** Every lie on the first route to each upstream and on the websocket; a sample on all others. */
export async function lieOnRoutes(
  { routes, ours }: Discovered,
  observe: Observe,
  lies: readonly Lie[],
): Promise<FaultAt[]> {
  const faults: FaultAt[] = [];
  for (const { entry, route, honest } of routes) {
    const upstream = honest.reached[0]?.upstream;
    const first = routes.find((other) => {
      return other.entry === entry && other.honest.reached[0]?.upstream === upstream;
    });
    const isFirst = first?.honest === honest;
    const isWebsocket = route.isUpgrade && route.path === REALTIME_PATH;
    const protocols = entry.listener.isHttp2 && !route.isUpgrade ? [{}, H2] : [{}];
    for (const how of protocols) {
      const chosen = how !== H2 && (isFirst || isWebsocket) ? lies : sampleOf(lies);
      for (const lie of [HONEST, ...chosen]) {
        const seen = await observe(entry, route, lie, how);
        const judge = (recorded: RecordedRequest) => [
          ...judgeIdentity(recorded, seen.peer.address, lie === HONEST),
          ...(lie === HONEST ? judgeUpgrade(recorded, route) : []),
        ];
        faults.push(...faultsOf(seen, ours, judge));
      }
    }
    if (route.path !== REALTIME_PATH) {
      const upgrade: ProveRoute = { ...route, method: "GET", isUpgrade: true };
      const seen = await observe(entry, upgrade, HONEST);
      const judge = (recorded: RecordedRequest) => [
        ...judgeIdentity(recorded, seen.peer.address, true),
        ...judgeUpgrade(recorded, upgrade),
      ];
      faults.push(...faultsOf(seen, ours, judge));
    }
    if (entry.listener.takesProxyLine && isFirst) {
      const seen = await observe(entry, route, HONEST, { claimed: SPOOFED_V4 });
      faults.push(...faultsOf(seen, ours, () => [PROXY_LINE]));
    }
  }
  return faults;
}

const H2 = { protocol: "h2" } as const;

const PROXY_LINE: Fault = {
  rule: "proxy-protocol",
  saw: `a request behind a PROXY line that names ${SPOOFED_V4}`,
  message: "whoever connects here names its own address in a PROXY line",
  mend: "take the PROXY protocol from the balancer alone, or turn it off",
};

/** Asks for what no browser needs, through every entry. */
export async function knockAtPrivate(
  { entries, ours }: Discovered,
  observe: Observe,
  samples: readonly string[],
  inputs: ClientInputs,
): Promise<FaultAt[]> {
  const faults: FaultAt[] = [];
  for (const entry of entries) {
    for (const { method, target, headers } of privateRequests(samples, inputs, entry.host)) {
      const route = { method, path: target, isUpgrade: false };
      const seen = await observe(entry, route, { id: "a path that is not for browsers", headers });
      const judge = (recorded: RecordedRequest) => {
        const exposed = judgeExposure(recorded);
        if (exposed.length > 0 || headers.length > 0) return exposed;
        return judgeIdentity(recorded, seen.peer.address, true);
      };
      faults.push(...faultsOf(seen, ours, judge));
    }
  }
  return faults;
}

/** Every request that reached a port of operators and services. */
export function findPrivatePorts(log: readonly Observation[], ours: OurUpstreams): FaultAt[] {
  return log.flatMap((observation) => {
    return observation.reached.flatMap(({ upstream, recorded }) => {
      const [variable, port] =
        Object.entries(PRIVATE_PORTS).find(([, own]) => upstream.endsWith(`:${own}`)) ?? [];
      if (variable === undefined || !ours.isHostOfOurs(upstream)) return [];
      const fault: Fault = {
        rule: "private-port",
        saw: recorded.requestLine,
        message: `${port} is ${variable}: operators and services are answered there, not browsers`,
        mend: "forward to AUTH_PORT (4001) and GATEWAY_PORT (8001) alone",
      };
      return [{ observation, upstream, fault }];
    });
  });
}
