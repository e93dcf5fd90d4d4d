import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ClientIp, derive } from "../../services/runtime/client-ip.ts";
import { parseCidr } from "../../services/runtime/ip-address.ts";
import { createTestDatabase } from "../fixtures/postgres.ts";
import {
  type ServiceName,
  type ServiceProcess,
  startServiceProcess,
} from "../fixtures/service-process.ts";
import { findAddresses, TOKENS } from "../fixtures/services.ts";
import { HOSTILE_REQUESTS, type HostileRequest } from "./hostile-requests.ts";
import { createIdentityMatrix, type Outcome } from "./identity-matrix.ts";
import { formatRequest, sendBytes, sendRaw } from "./raw-request.ts";

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

const matrix = createIdentityMatrix();
afterAll(() => void process.stdout.write(`${matrix.format()}\n`));

for (const system of SYSTEMS) {
  const trusted = system.trusted === undefined ? "" : `, trusted ${system.trusted}`;
  const name = `straight to ${system.host}, hops ${system.hops}${trusted}`;
  describe(name, () => {
    const started = setup(system);

    for (const service of SERVICES) {
      test(`${service} derives what the rule derives, from every request`, async () => {
        const path = `${service}, ${name}`;
        for (const hostile of HOSTILE_REQUESTS) {
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
    const sends = SERVICES.flatMap((service) => {
      return PROXY_HEADERS.map(async (header) => {
        return await sendBytes(started.at(service), Buffer.concat([header, request]));
      });
    });
    for (const { text } of await Promise.all(sends)) {
      expect(text).toMatch(/^$|^HTTP\/1\.1 400|"address":"127\.0\.0\.1"/);
    }
  });
});

type SystemUnderTest = { host: string; hops: number; trusted?: string };

function setup(system: SystemUnderTest) {
  const ports = new Map<ServiceName, number>();
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
      const url = new URL(name === "gateway" ? urls.gatewayRpc : urls[name]);
      ports.set(name, Number(url.port));
      url.hostname = system.host.includes(":") ? `[${system.host}]` : system.host;
      processes.push(await startServiceProcess({ name, url: url.origin, environment: variables }));
    });
    await Promise.all(starts);
  });
  afterAll(async () => {
    await Promise.all(processes.map(async (one) => await one.stop()));
  });
  const at = (service: ServiceName) => ({ host: system.host, port: ports.get(service) ?? 0 });
  return {
    at,
    ask: async (service: ServiceName, hostile: HostileRequest): Promise<Outcome> => {
      const { status, text } = await sendRaw(
        at(service),
        identityRequest(hostile.lines, hostile.nominated),
      );
      if (status === 200) {
        return judge(text, expectedClient(system, hostile));
      }
      return { kind: "wrong", text: `${status}: ${text}` };
    },
  };
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

function identityRequest(lines: readonly string[], nominated: readonly string[] = []) {
  return {
    method: "POST",
    target: "/portcullis.identity.v1.IdentityService/WhoIsCalling",
    headerLines: [
      "Host: service.example",
      `Authorization: Bearer ${TOKENS.operator}`,
      ...lines,
      ...(nominated.length > 0 ? [`Connection: ${nominated.join(", ")}`] : []),
      "Content-Type: application/json",
      "Content-Length: 2",
    ],
    body: "{}",
  };
}

/** Both versions, naming 6.6.6.6 as the client. */
const PROXY_HEADERS = [
  Buffer.from("PROXY TCP4 6.6.6.6 10.0.0.1 1234 80\r\n"),
  Buffer.from("0d0a0d0a000d0a515549540a2111000c060606060a00000104d20050", "hex"),
];
