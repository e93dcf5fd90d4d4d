import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ClientIp, derive } from "../../services/runtime/client-ip.ts";
import { parseCidr } from "../../services/runtime/ip-address.ts";
import { PROBE_HEADER, PROBE_NONCE_BYTES, signProbe } from "../../services/runtime/probe.ts";
import { Secret } from "../../services/runtime/secret.ts";
import {
  formatRequest,
  type RawRequest,
  sendBytes,
  sendRaw,
} from "../../tools/edge/prove/raw-request.ts";
import { gatewayEngine } from "../fixtures/gateway-engine.ts";
import { createTestDatabase } from "../fixtures/postgres.ts";
import {
  type ServiceName,
  type ServiceProcess,
  startServiceProcess,
} from "../fixtures/service-process.ts";
import { findAddresses, healthUrlOf, TOKENS } from "../fixtures/services.ts";
import { HOSTILE_REQUESTS, type HostileRequest } from "./hostile-requests.ts";
import { createIdentityMatrix, type Outcome } from "./identity-matrix.ts";

const SERVICES: readonly ServiceName[] = ["auth", "limiter", "gateway"];

/** What the services are told, and the address at which they listen. */
const SYSTEMS: readonly SystemUnderTest[] = [
  { host: "127.0.0.1", hops: 0 },
  { host: "127.0.0.1", hops: 1 },
  { host: "127.0.0.1", hops: 2 },
  { host: "127.0.0.1", hops: 5 },
  { host: "::1", hops: 0 },
  { host: "::1", hops: 1 },
  { host: "::1", hops: 2 },
  { host: "127.0.0.1", hops: 1, trusted: "10.0.0.0/8" },
  { host: "127.0.0.1", hops: 1, trusted: "10.0.0.0/8,127.0.0.0/30" },
];

/** The gateway takes no more than 98 lines; such a request has no identity. */
const UNREADABLE_FOR_GATEWAY = ["spf-11"];

/**
 * uWebSockets trims what is below 33 from both ends of a value, and takes bytes above 127 for
 * negative; nothing in the gateway ever sees them. Behind an edge both ends are the proxies' own.
 */
const TRIMMED_BY_UWS = /^[\x80-\xff]+|[\x80-\xff]+$/g;

const matrix = createIdentityMatrix();
afterAll(() => void process.stdout.write(`${matrix.format()}\n`));

for (const system of SYSTEMS) {
  const trusted = system.trusted === undefined ? "" : `, trusted ${system.trusted}`;
  const name = `straight to ${system.host}, hops ${system.hops}${trusted}`;
  describe(name, () => {
    const started = setup(system);

    for (const service of SERVICES) {
      const requests = HOSTILE_REQUESTS.filter(({ id }) => !isUnreadable(service, id));
      test(`${service} derives what the rule derives, from every request`, async () => {
        const path = `${service}, ${name}`;
        for (const hostile of requests) {
          matrix.add(path, hostile.id, await started.ask(service, hostile));
        }
        expect(matrix.failures(path)).toEqual([]);
      });
    }
  });
}

describe("whatever the hops", () => {
  const started = setup({ host: "127.0.0.1", hops: 1 });

  test("no service takes an address from a PROXY protocol header", async () => {
    const request = formatRequest(identityRequest([]));
    const sends = (["auth", "limiter", "gatewayRpc"] as const).flatMap((service) => {
      return PROXY_HEADERS.map(async (header) => {
        return await sendBytes(started.at(service), Buffer.concat([header, request]));
      });
    });
    for (const { text } of await Promise.all(sends)) {
      expect(text).toMatch(/^$|^HTTP\/1\.1 400|"address":"127\.0\.0\.1"/);
    }
  });

  test("nor does the gateway at its public port", async () => {
    for (const header of PROXY_HEADERS) {
      const nonce = randomBytes(PROBE_NONCE_BYTES).toString("hex");
      const request = formatRequest(gatewayRequest(nonce, []));
      await sendBytes(started.at("gateway"), Buffer.concat([header, request]));
      const question = identityRequest([], [], JSON.stringify({ probe: nonce }));
      const { text } = await sendRaw(started.at("gatewayRpc"), question);
      expect(text).toMatch(/^HTTP\/1\.1 404|"address":"127\.0\.0\.1"/);
    }
  });

  test("the gateway refuses what its parser cannot read", async () => {
    const requests = HOSTILE_REQUESTS.filter(({ id }) => isUnreadable("gateway", id));
    expect(requests).toHaveLength(UNREADABLE_FOR_GATEWAY.length);
    const sends = requests.map(async ({ lines }) => {
      return await sendRaw(started.at("gateway"), gatewayRequest("", lines));
    });
    expect((await Promise.all(sends)).map(({ status }) => status)).toEqual([431]);
  });
});

type SystemUnderTest = { host: string; hops: number; trusted?: string };

function isUnreadable(service: ServiceName, id: string): boolean {
  return service === "gateway" && UNREADABLE_FOR_GATEWAY.includes(id);
}

function setup(system: SystemUnderTest) {
  const ports = new Map<ServiceName | "gatewayRpc", number>();
  const processes: ServiceProcess[] = [];
  beforeAll(async () => {
    const { environment, urls } = await findAddresses();
    const databaseUrl = await createTestDatabase("identity");
    const variables = {
      ...environment,
      NODE_ENV: "test",
      DATABASE_URL: databaseUrl,
      BIND_HOST: system.host,
      API_TRUST_PROXY_HOPS: String(system.hops),
      REALTIME_TRUST_PROXY_HOPS: String(system.hops),
      ...(system.trusted === undefined ? {} : { TRUSTED_PROXY_CIDRS: system.trusted }),
    };
    const starts = SERVICES.map(async (name) => {
      ports.set(name, Number(new URL(urls[name]).port));
      const url = new URL(healthUrlOf(urls, name));
      url.hostname = system.host.includes(":") ? `[${system.host}]` : system.host;
      processes.push(await startServiceProcess({ name, url: url.origin, environment: variables }));
    });
    ports.set("gatewayRpc", Number(new URL(urls.gatewayRpc).port));
    await Promise.all(starts);
  });
  afterAll(async () => {
    await Promise.all(processes.map(async (one) => await one.stop()));
  });
  const at = (service: ServiceName | "gatewayRpc") => ({
    host: system.host,
    port: ports.get(service) ?? 0,
  });
  return {
    at,
    ask: async (service: ServiceName, hostile: HostileRequest): Promise<Outcome> => {
      const { status, text } =
        service === "gateway"
          ? await askByProbe(at, hostile)
          : await sendRaw(at(service), identityRequest(hostile.lines, hostile.nominated));
      if (status === 200) {
        const isTrimmed = service === "gateway" && gatewayEngine() === "uws";
        const seen = isTrimmed ? asUwsReads(hostile) : hostile;
        const outcome = judge(text, expectedClient(system, seen));
        return outcome.kind === "agreed" && seen !== hostile ? { kind: "differs" } : outcome;
      }
      return { kind: "wrong", text: `${status}: ${text}` };
    },
  };
}

type At = (service: ServiceName | "gatewayRpc") => { host: string; port: number };

/** The gateway's public port tells nobody who is calling; its other one says what it saw there. */
async function askByProbe(at: At, hostile: HostileRequest) {
  const nonce = randomBytes(PROBE_NONCE_BYTES).toString("hex");
  await sendRaw(at("gateway"), gatewayRequest(nonce, hostile.lines, hostile.nominated));
  return await sendRaw(at("gatewayRpc"), identityRequest([], [], JSON.stringify({ probe: nonce })));
}

function gatewayRequest(
  nonce: string,
  lines: readonly string[],
  nominated: readonly string[] = [],
): RawRequest {
  return {
    method: "GET",
    target: "/gateway/realtime",
    headerLines: [
      "Host: service.example",
      `${PROBE_HEADER}: ${signProbe(nonce, new Secret(TOKENS.operator))}`,
      ...lines,
      ...(nominated.length > 0 ? [`Connection: ${nominated.join(", ")}`] : []),
    ],
  };
}

function asUwsReads(hostile: HostileRequest): HostileRequest {
  const trimmed = hostile.forwardedLines.map((line) => line.replace(TRIMMED_BY_UWS, ""));
  const isSame = trimmed.join() === hostile.forwardedLines.join();
  return isSame ? hostile : { ...hostile, forwardedLines: trimmed };
}

function expectedClient(system: SystemUnderTest, hostile: HostileRequest): ClientIp {
  const ranges = system.trusted?.split(",").flatMap((text) => parseCidr(text) ?? []);
  return derive(system.host, hostile.forwardedLines, system.hops, ranges);
}

function judge(answer: string, expected: ClientIp): Outcome {
  const told: Record<string, unknown> = JSON.parse(answer.slice(answer.indexOf("{")));
  const wanted = {
    address: expected.ip,
    source: expected.class === "forwarded" ? "SOURCE_FORWARDED" : "SOURCE_SOCKET",
    warning: expected.warning ?? "",
    entries: expected.entries,
  };
  const wrong = Object.entries(wanted).filter(([name, value]) => told[name] !== value);
  if (wrong.length === 0) return { kind: "agreed" };
  return {
    kind: "wrong",
    text: wrong.map(([name, value]) => `${name} is ${told[name]}, not ${value}`).join("; "),
  };
}

function identityRequest(
  lines: readonly string[],
  nominated: readonly string[] = [],
  body = "{}",
): RawRequest {
  return {
    method: "POST",
    target: "/portcullis.identity.v1.IdentityService/WhoIsCalling",
    headerLines: [
      "Host: service.example",
      `Authorization: Bearer ${TOKENS.operator}`,
      ...lines,
      ...(nominated.length > 0 ? [`Connection: ${nominated.join(", ")}`] : []),
      "Content-Type: application/json",
      `Content-Length: ${body.length}`,
    ],
    body,
  };
}

/** Both versions, naming 6.6.6.6 as the client. */
const PROXY_HEADERS = [
  Buffer.from("PROXY TCP4 6.6.6.6 10.0.0.1 1234 80\r\n"),
  Buffer.from("0d0a0d0a000d0a515549540a2111000c060606060a00000104d20050", "hex"),
];
