import { afterAll, describe, expect, test } from "vitest";
import { type ClientIp, derive } from "../../services/runtime/client-ip.ts";
import { HOPS } from "../../tools/edge/edge-policy.ts";
import { RUNNABLE_PROXIES, type RunnableProxy } from "../../tools/edge/start-proxy.ts";
import { canRun } from "./can-run.ts";
import { useEdge } from "./edge-fixture.ts";
import { HOSTILE_REQUESTS, HOSTILE_SAMPLE, type HostileRequest } from "./hostile-requests.ts";
import { createIdentityMatrix, type Outcome } from "./identity-matrix.ts";
import { deriveFrom, findHeaderFaults } from "./inspect-forwarded.ts";
import { KNOWN_DIFFERENCES } from "./known-differences.ts";
import { sendRaw } from "./raw-request.ts";
import { type RecordedRequest, valuesOf } from "./recorder.ts";
import { API, type EntryRoute, OTHER_ROUTES, REALTIME, requestOn } from "./routes.ts";

/** Who connects to the edge: a client, the CDN it trusts, or somebody who pretends to be the CDN. */
const SITUATIONS = [
  { topology: "direct", trusted: false },
  { topology: "cdn", trusted: true },
  { topology: "cdn", trusted: false },
  { topology: "cdn-append", trusted: true },
  { topology: "cdn-append", trusted: false },
] as const;

const FAMILIES = [
  { name: "IPv4", host: "127.0.0.1" },
  { name: "IPv6", host: "::1" },
] as const;

const matrix = createIdentityMatrix();
afterAll(() => process.stdout.write(`${matrix.format()}\n`));

for (const proxy of RUNNABLE_PROXIES) {
  for (const situation of SITUATIONS) {
    const peer = situation.trusted ? "the CDN" : "a stranger";
    describe.runIf(canRun(proxy))(`${proxy}, ${situation.topology}, reached by ${peer}`, () => {
      const started = setup(proxy, situation);
      for (const family of FAMILIES) {
        for (const route of [API, REALTIME]) {
          test(`every request means the same client on ${route.name} over ${family.name}`, async () => {
            const path = `${proxy} ${situation.topology} ${peer} ${route.name} ${family.name}`;
            for (const hostile of HOSTILE_REQUESTS) {
              matrix.add(path, hostile.id, await started.send(family.host, route, hostile));
            }
            expect(matrix.failures(path)).toEqual([]);
          });
        }
      }

      test("a sample of every kind means the same client on every other route", async () => {
        for (const route of OTHER_ROUTES) {
          const path = `${proxy} ${situation.topology} ${peer} ${route.name} IPv4`;
          for (const hostile of HOSTILE_SAMPLE) {
            matrix.add(path, hostile.id, await started.send("127.0.0.1", route, hostile));
          }
          expect(matrix.failures(path)).toEqual([]);
        }
      });
    });
  }
}

type Situation = (typeof SITUATIONS)[number];

/** What the rule makes of a request, told what the edge is told. */
function expectedClient(situation: Situation, peer: string, hostile: HostileRequest): ClientIp {
  const { topology, trusted } = situation;
  const upstreamPeer = "127.0.0.1";
  if (topology === "cdn-append") {
    const lines = trusted ? [...hostile.forwardedLines, peer] : [peer];
    return derive(upstreamPeer, lines, HOPS[topology]);
  }
  const named = trusted ? derive(peer, hostile.forwardedLines, 1).ip : peer;
  return derive(upstreamPeer, [named], HOPS[topology]);
}

function judge(
  situation: Situation,
  route: EntryRoute,
  recorded: RecordedRequest,
  expected: ClientIp,
): Outcome {
  const client = deriveFrom(recorded, situation.topology);
  // Both kinds of doubt put a client into the same class of keys.
  const same = client.ip === expected.ip && client.class === expected.class;
  const faults = findHeaderFaults(recorded, {
    topology: situation.topology,
    route,
    realIp: valuesOf(recorded, "x-forwarded-for"),
  });
  const overwrites = situation.topology !== "cdn-append" || !situation.trusted;
  const text = [
    ...(same ? [] : [`${JSON.stringify(client)}, not ${JSON.stringify(expected)}`]),
    ...(overwrites && client.entries !== 1 ? [`${client.entries} entries, not 1`] : []),
    ...faults,
  ].join("; ");
  return text === "" ? { kind: "agreed" } : { kind: "wrong", text };
}

function judgeRefusal(proxy: RunnableProxy, hostile: HostileRequest, status: number): Outcome {
  const known = KNOWN_DIFFERENCES.some((one) => {
    return (
      one.kind === "refused" &&
      one.proxy === proxy &&
      one.request === hostile.id &&
      one.status === status
    );
  });
  return known ? { kind: "refused", status } : { kind: "wrong", text: `refused with ${status}` };
}

function findKnownReading(proxy: RunnableProxy, situation: Situation, hostile: HostileRequest) {
  if (situation.topology !== "cdn" || !situation.trusted) return undefined;
  return KNOWN_DIFFERENCES.filter((one) => one.kind === "read").find((one) => {
    return one.proxy === proxy && one.request === hostile.id;
  });
}

/** The client that a known difference leads to, as services behind the edge derive it. */
function clientOf(name: string, peer: string): ClientIp {
  const entries = new Map([
    ["peer", peer],
    ["doubt", ""],
  ]);
  return derive("127.0.0.1", [entries.get(name) ?? name], 1);
}

function setup(proxy: RunnableProxy, situation: Situation) {
  const { topology, trusted } = situation;
  const cidrs = trusted ? ["127.0.0.0/8", "::1/128"] : ["192.0.2.0/24", "2001:db8::/32"];
  const edge = useEdge(proxy, { topology, cidrs });
  return {
    send: async (host: string, route: EntryRoute, hostile: HostileRequest): Promise<Outcome> => {
      const { port, recorder } = edge();
      const { status } = await sendRaw({ host, port }, requestOn(route, hostile));
      const [recorded, ...more] = recorder.take();
      if (recorded === undefined) return judgeRefusal(proxy, hostile, status);
      if (more.length > 0) return { kind: "wrong", text: "one request became several" };
      const known = findKnownReading(proxy, situation, hostile);
      const rule = expectedClient(situation, host, hostile);
      const expected = known === undefined ? rule : clientOf(known.client, host);
      const outcome = judge(situation, route, recorded, expected);
      const differs = known !== undefined && outcome.kind === "agreed";
      return differs ? { kind: "differs" } : outcome;
    },
  };
}
