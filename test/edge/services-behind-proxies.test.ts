import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Outcome as LimiterOutcome } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { HOPS } from "../../tools/edge/edge-policy.ts";
import { sendRaw } from "../../tools/edge/prove/raw-request.ts";
import {
  RUNNABLE_PROXIES,
  type RunnableProxy,
  type RunningProxy,
  startProxy,
} from "../../tools/edge/start-proxy.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { createTestDatabase } from "../fixtures/postgres.ts";
import { type ServiceProcess, startServiceProcess } from "../fixtures/service-process.ts";
import { findAddresses, healthUrlOf } from "../fixtures/services.ts";
import { startRecordingLimiter } from "../gateway/recording-limiter.ts";
import { canRun } from "./can-run.ts";
import { edgeConfig } from "./edge-fixture.ts";
import {
  expectedClient,
  FAMILIES,
  findKnownOutcome,
  SITUATIONS,
  type Situation,
} from "./expected-identity.ts";
import { HOSTILE_REQUESTS, HOSTILE_SAMPLE, type HostileRequest } from "./hostile-requests.ts";
import { createIdentityMatrix, type Outcome } from "./identity-matrix.ts";
import { API, REALTIME, requestOn } from "./routes.ts";

/** The policy with which each route's service asks for the client's address. */
const ROUTES = [
  { route: API, service: "auth", policy: "login.ip" },
  { route: REALTIME, service: "gateway", policy: "realtime.connect.ip" },
] as const;

const matrix = createIdentityMatrix();
afterAll(() => void process.stdout.write(`${matrix.format()}\n`));

for (const hops of [1, 2] as const) {
  describe(`auth and gateway with hops ${hops}`, () => {
    const system = setupServices(hops);
    const situations = SITUATIONS.filter(({ topology }) => hops === HOPS[topology]);
    for (const proxy of RUNNABLE_PROXIES) {
      for (const situation of situations) {
        const peer = situation.trusted ? "the CDN" : "a stranger";
        test.runIf(canRun(proxy))(
          `behind ${proxy}, ${situation.topology}, reached by ${peer}: the limits are the right client's`,
          async () => {
            const edge = await system.startEdge(proxy, situation);
            for (const { name, host } of FAMILIES) {
              const requests = name === "IPv4" ? HOSTILE_REQUESTS : HOSTILE_SAMPLE;
              for (const route of ROUTES) {
                const path = `${proxy} ${situation.topology} ${peer} ${route.service} ${name}, real services`;
                for (const hostile of requests) {
                  const send = edge.send(host, route, hostile);
                  matrix.add(path, hostile.id, await send);
                }
                expect(matrix.failures(path)).toEqual([]);
              }
            }
          },
        );
      }
    }
  });
}

function setupServices(hops: number) {
  let limiter: Awaited<ReturnType<typeof startRecordingLimiter>>;
  const services: ServiceProcess[] = [];
  const upstreams = { auth: 0, gateway: 0 };
  let edge: RunningProxy | undefined;

  beforeAll(async () => {
    // Refused at once, so that no password is hashed and no session opened.
    limiter = await startRecordingLimiter({ outcome: LimiterOutcome.REJECTED });
    const { environment, urls } = await findAddresses();
    const variables = {
      ...environment,
      NODE_ENV: "test",
      LIMITER_URL: limiter.url,
      DATABASE_URL: await createTestDatabase("edge"),
      API_TRUST_PROXY_HOPS: String(hops),
      REALTIME_TRUST_PROXY_HOPS: String(hops),
    };
    for (const name of ["auth", "gateway"] as const) {
      upstreams[name] = Number(new URL(urls[name]).port);
      const url = healthUrlOf(urls, name);
      services.push(await startServiceProcess({ name, url, environment: variables }));
    }
  });
  afterEach(async () => {
    await edge?.stop();
    edge = undefined;
  });
  afterAll(async () => {
    await Promise.all(services.map(async (service) => await service.stop()));
    await limiter?.stop();
  });

  return {
    startEdge: async (proxy: RunnableProxy, situation: Situation) => {
      const port = await findFreePort();
      const { topology, trusted } = situation;
      const cidrs = trusted ? ["127.0.0.0/8", "::1/128"] : ["192.0.2.0/24", "2001:db8::/32"];
      const config = edgeConfig(port, upstreams, { topology, cidrs });
      edge = await startProxy({ proxy, config, path: process.env["PATH"] });
      const send = async (
        host: string,
        { route, service, policy }: (typeof ROUTES)[number],
        hostile: HostileRequest,
      ): Promise<Outcome> => {
        limiter.asked.length = 0;
        const { status } = await sendRaw({ host, port }, withLogin(requestOn(route, hostile)));
        const asked = limiter.asked.find((bucket) => bucket.policy === policy);
        const rule = expectedClient(situation, host, hostile);
        const known = findKnownOutcome({ proxy, situation, hostile }, service, status);
        if (asked === undefined) return known?.kind === "refused" ? known : unseen(status);
        const expected = known?.kind === "read" ? known.client : rule;
        const isDoubtful = expected.warning !== undefined;
        const isRight = asked.key === expected.ip && asked.doubtful === isDoubtful;
        if (isRight) return { kind: known?.kind === "read" ? "differs" : "agreed" };
        return {
          kind: "wrong",
          text: `${asked.key} (doubtful: ${asked.doubtful}), not ${expected.ip}`,
        };
      };
      return { send };
    },
  };
}

function unseen(status: number): Outcome {
  return { kind: "wrong", text: `no service asked for a decision; ${status}` };
}

const LOGIN = '{"email":"nobody@portcullis.test","password":"wrong"}';

/** What the route needs to be taken for a sign-in. */
function withLogin(request: ReturnType<typeof requestOn>) {
  if (request.method !== "POST") return request;
  const headerLines = request.headerLines.map((line) => {
    return line === "Content-Length: 0" ? `Content-Length: ${LOGIN.length}` : line;
  });
  return { ...request, headerLines, body: LOGIN };
}
