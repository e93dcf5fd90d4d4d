import { afterAll, describe, expect, test } from "vitest";
import type { ClientIp } from "../../services/runtime/client-ip.ts";
import { sendRaw } from "../../tools/edge/prove/raw-request.ts";
import { type RecordedRequest, valuesOf } from "../../tools/edge/prove/recorder.ts";
import { RUNNABLE_PROXIES, type RunnableProxy } from "../../tools/edge/start-proxy.ts";
import { canRun } from "./can-run.ts";
import { useEdge } from "./edge-fixture.ts";
import {
  expectedClient,
  FAMILIES,
  findKnownOutcome,
  SITUATIONS,
  type Situation,
} from "./expected-identity.ts";
import {
  FORM_REQUESTS,
  HOSTILE_REQUESTS,
  HOSTILE_SAMPLE,
  type HostileRequest,
} from "./hostile-requests.ts";
import { createIdentityMatrix, type Outcome } from "./identity-matrix.ts";
import { deriveFrom, findHeaderFaults } from "./inspect-forwarded.ts";
import { API, type EntryRoute, OTHER_ROUTES, REALTIME, requestOn } from "./routes.ts";

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
            for (const hostile of [...HOSTILE_REQUESTS, ...FORM_REQUESTS]) {
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

function judge(
  situation: Situation,
  { route, hostile }: { route: EntryRoute; hostile: HostileRequest },
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
    // Where a peer sends two lines, older nginx sees the first and HAProxy the last.
    schemes: situation.trusted ? (hostile.schemes ?? ["http"]) : ["http"],
  });
  const overwrites = situation.topology !== "cdn-append" || !situation.trusted;
  const text = [
    ...(same ? [] : [`${JSON.stringify(client)}, not ${JSON.stringify(expected)}`]),
    ...(overwrites && client.entries !== 1 ? [`${client.entries} entries, not 1`] : []),
    ...faults,
  ].join("; ");
  return text === "" ? { kind: "agreed" } : { kind: "wrong", text };
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
      const known = findKnownOutcome({ proxy, situation, hostile }, "recorder", status);
      if (recorded === undefined) {
        const text = `refused with ${status}`;
        return known?.kind === "refused" ? known : { kind: "wrong", text };
      }
      if (more.length > 0) return { kind: "wrong", text: "one request became several" };
      const isRead = known?.kind === "read";
      const expected = isRead ? known.client : expectedClient(situation, host, hostile);
      const outcome = judge(situation, { route, hostile }, recorded, expected);
      return isRead && outcome.kind === "agreed" ? { kind: "differs" } : outcome;
    },
  };
}
