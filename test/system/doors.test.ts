import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { resolve } from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { readPoliciesFile } from "../../services/limiter/rules/policies-file.ts";
import { readTextFile } from "../../services/runtime/read-text-file.ts";
import { DOORS, doorTable, frameTable } from "../fixtures/door-table.ts";
import { type ServiceUrls, type System, startSystem, TOKENS } from "../fixtures/services.ts";

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(async () => {
  await system.stop();
});

test("ARCHITECTURE.md has every route and every frame with its policy", () => {
  expect(sectionOf("doors")).toBe(doorTable());
  expect(sectionOf("frames")).toBe(frameTable());
});

test("every RPC that there is has a policy at some door", async () => {
  const routes = new Set(Object.values(DOORS).flatMap((policies) => Object.keys(policies ?? {})));
  const services = await findServices();
  expect(services.length).toBeGreaterThan(5);
  const missing = services.flatMap((service) =>
    service.methods
      .map((method) => `POST /${service.typeName}/${method.name}`)
      .filter((route) => !routes.has(route)),
  );
  expect(missing).toEqual([]);
});

test("what a route charges is a policy of the limiter", async () => {
  const policies = await readPoliciesFile(readTextFile, undefined);
  const charges = Object.values(DOORS)
    .flatMap((door) => Object.values(door ?? {}))
    .flatMap(({ charges }) => charges)
    .filter((charge) => !charge.startsWith("the "));
  expect(charges.filter((charge) => !policies.has(charge))).toEqual([]);
});

test("each door asks who calls before it reads anything", async () => {
  const knocks = everyRoute().map(async ([url, route, { callers }]) => {
    const answer = await knock(url, route, "");
    // An open route waits for the announced body, or for a handshake.
    const expected = callers === "anyone" ? /^HTTP\/1.1 (408|200|426) / : /^HTTP\/1.1 401 /;
    expect(answer, route).toMatch(expected);
  });
  await Promise.all(knocks);
});

test("each door serves its own routes and no others", async () => {
  const routes = everyRoute().map(([, route]) => route);
  for (const name of DOOR_NAMES) {
    const foreign = routes.filter((route) => {
      return DOORS[name]?.[route] === undefined && route !== "GET /healthz";
    });
    for (const route of foreign) {
      const answer = await knock(system.urls[name], route, TOKENS.operator, "{}");
      expect(answer, `${route} at ${name}`).toMatch(/^HTTP\/1.1 404 /);
    }
  }
});

test("public doors say that they live, and nothing of what is behind them", async () => {
  const { auth, gateway, authAdmin, limiter, gatewayRpc } = system.urls;
  for (const url of [auth, gateway]) {
    expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: "alive" });
  }
  for (const url of [authAdmin, limiter, gatewayRpc]) {
    const health = await (await fetch(`${url}/healthz`)).json();
    expect(health).toEqual({ status: "alive", dependencies: expect.anything() });
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  }
});

const DOOR_NAMES = ["auth", "authAdmin", "limiter", "gatewayRpc", "gateway"] as const;

function everyRoute() {
  return Object.entries(DOORS).flatMap(([door, policies]) =>
    Object.entries(policies ?? {}).map(
      ([route, policy]) => [system.urls[door as keyof ServiceUrls], route, policy] as const,
    ),
  );
}

/** Sends a head that announces a body, and by default no body: only the head can be answered. */
async function knock(url: string, route: string, token: string, body = ""): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  const isGet = route.startsWith("GET ");
  const lines = [
    `${route} HTTP/1.1`,
    "host: door",
    ...(token === "" ? [] : [`authorization: Bearer ${token}`]),
    ...(isGet ? [] : ["content-type: application/json", "content-length: 2"]),
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n${isGet ? "" : body}`);
  for await (const piece of socket) return String(piece);
  return "";
}

/** The text of ARCHITECTURE.md between two marks. */
function sectionOf(mark: string): string {
  const page = readFileSync("ARCHITECTURE.md", "utf8");
  return new RegExp(`<!-- ${mark} -->\n(.*?)\n?<!-- /${mark} -->`, "s").exec(page)?.[1] ?? "";
}

async function findServices(): Promise<DescService[]> {
  const services: DescService[] = [];
  const files = readdirSync("gen/portcullis", { recursive: true, encoding: "utf8" });
  for (const file of files.filter((name) => name.endsWith("_pb.ts"))) {
    const module: Record<string, unknown> = await import(resolve("gen/portcullis", file));
    services.push(...Object.values(module).filter(isService));
  }
  return services;
}

function isService(value: unknown): value is DescService {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "service";
}
