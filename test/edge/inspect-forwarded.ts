import { type ClientIp, derive } from "../../services/runtime/client-ip.ts";
import type { Topology } from "../../tools/edge/edge-config.ts";
import { CLAIM_HEADERS, HOPS } from "../../tools/edge/edge-policy.ts";
import { type RecordedRequest, valuesOf } from "../../tools/edge/prove/recorder.ts";
import type { EntryRoute } from "./routes.ts";

/** What a service derives from a request as it arrived, at the hops of the topology. */
export function deriveFrom(recorded: RecordedRequest, topology: Topology): ClientIp {
  const lines = valuesOf(recorded, "x-forwarded-for");
  return derive(recorded.remote, lines, HOPS[topology]);
}

/** Everything about a forwarded request that an edge must get right besides the address. */
export function findHeaderFaults(
  recorded: RecordedRequest,
  expected: {
    topology: Topology;
    route: EntryRoute;
    realIp: readonly string[];
    schemes: readonly string[];
  },
): string[] {
  const { topology, route, realIp, schemes } = expected;
  const names = recorded.lines.map(({ name }) => name.toLowerCase());
  const claims = CLAIM_HEADERS.filter((name) => names.includes(name.toLowerCase()));
  return [
    ...(schemes.some((scheme) => valuesOf(recorded, "x-forwarded-proto").join() === scheme)
      ? []
      : [`X-Forwarded-Proto is ${valuesOf(recorded, "x-forwarded-proto")}, not ${schemes}`]),
    ...differs("Cookie", valuesOf(recorded, "cookie"), []),
    ...differs(
      "X-Real-IP",
      valuesOf(recorded, "x-real-ip"),
      topology === "cdn-append" ? [] : realIp,
    ),
    ...differs("claims", claims, []),
    ...differs(
      "underscores",
      names.filter((name) => name.includes("_")),
      [],
    ),
    ...differs("Upgrade", valuesOf(recorded, "upgrade"), route.upgrade ? ["websocket"] : []),
    ...differs("nominations", nominationsOf(recorded), route.upgrade ? ["upgrade"] : []),
  ];
}

/** What the next hop would take for its own; keep-alive and close name no header. */
function nominationsOf(recorded: RecordedRequest): string[] {
  const tokens = valuesOf(recorded, "connection").join(",").toLowerCase().split(/[ ,]+/);
  return tokens.filter((token) => token !== "" && token !== "close" && token !== "keep-alive");
}

function differs(what: string, found: readonly string[], expected: readonly string[]): string[] {
  const same = JSON.stringify(found) === JSON.stringify(expected);
  return same ? [] : [`${what} is ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`];
}
