import { afterAll, beforeAll, expect, test } from "vitest";
import { DEMO_ACCOUNT, type System } from "../fixtures/services.ts";
import { freshAddress, startAuthSystem } from "./auth-system.ts";

const CONSOLE = "http://console.portcullis.test:8080";
const APPS = ["capacitor://localhost", "tauri://localhost", "chrome-extension://abcdefghijklmnop"];
const OTHER = "https://evil.test";
const LOGIN = "/portcullis.auth.v1.AuthService/Login";

let system: System;
beforeAll(async () => {
  system = await startAuthSystem({
    ALLOWED_ORIGINS: `https://app.portcullis.test, ${CONSOLE}, ${APPS.join()}, https://*.previews.test`,
  });
});
afterAll(async () => {
  await system.stop();
});

test("a preflight of an allowed origin may send what Connect-Web sends", async () => {
  const response = await preflight(CONSOLE);
  expect(response.status).toBe(204);
  expect(response.headers.get("access-control-allow-origin")).toBe(CONSOLE);
  expect(response.headers.get("vary")).toBe("origin");
  expect(listOf(response, "access-control-allow-methods")).toContain("post");
  expect(listOf(response, "access-control-allow-headers")).toEqual(
    expect.arrayContaining([
      "authorization",
      "content-type",
      "connect-protocol-version",
      "connect-timeout-ms",
    ]),
  );
});

test("a preflight may send what tracing, gRPC-Web and Connect clients send", async () => {
  const sent = ["traceparent", "tracestate", "baggage", "x-grpc-web", "x-user-agent"];
  sent.push("grpc-timeout", "connect-timeout-ms", "connect-content-encoding", "content-encoding");
  const response = await preflight(CONSOLE);
  expect(listOf(response, "access-control-allow-headers")).toEqual(expect.arrayContaining(sent));
  const exposed = ["retry-after", "grpc-status", "grpc-message", "grpc-status-details-bin"];
  const answer = await post(LOGIN, DEMO_ACCOUNT, { origin: CONSOLE });
  expect(listOf(answer, "access-control-expose-headers")).toEqual(expect.arrayContaining(exposed));
});

test("apps, extensions and subdomains that are named are allowed as pages are", async () => {
  for (const origin of [...APPS, "https://branch-1.previews.test"]) {
    const response = await preflight(origin);
    expect(response.status, origin).toBe(204);
    expect(response.headers.get("access-control-allow-origin")).toBe(origin);
    const answer = await post(LOGIN, DEMO_ACCOUNT, { origin });
    expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
  }
});

test("what the way in refuses can be read by the page, too", async () => {
  const large = await post(LOGIN, { email: "x".repeat(20_000) }, { origin: CONSOLE });
  const unknown = await post("/portcullis.auth.v1.AuthService/Nothing", {}, { origin: CONSOLE });
  expect([large.status, unknown.status]).toEqual([413, 404]);
  for (const answer of [large, unknown]) {
    expect(answer.headers.get("access-control-allow-origin")).toBe(CONSOLE);
  }
});

test("a preflight of another origin is refused", async () => {
  for (const origin of [
    OTHER,
    "null",
    "https://previews.test",
    "capacitor://other",
    `${CONSOLE}.evil.test`,
    CONSOLE.toUpperCase(),
  ]) {
    const response = await preflight(origin);
    expect(response.status, origin).toBe(403);
    expect(corsHeadersOf(response), origin).toEqual([]);
  }
});

test("an allowed origin may read the answer and the wait, refused or not", async () => {
  for (const body of [DEMO_ACCOUNT, { ...DEMO_ACCOUNT, password: "wrong" }]) {
    const response = await post(LOGIN, body, { origin: CONSOLE });
    expect(response.headers.get("access-control-allow-origin")).toBe(CONSOLE);
    expect(listOf(response, "access-control-expose-headers")).toContain("retry-after");
    expect(response.headers.get("vary")).toBe("origin");
  }
});

test("another origin may not read the answer, and no origin is allowed", async () => {
  const foreign = await post(LOGIN, DEMO_ACCOUNT, { origin: OTHER });
  expect(corsHeadersOf(foreign)).toEqual([]);
  expect(foreign.headers.get("vary")).toBe("origin");
  const direct = await post(LOGIN, DEMO_ACCOUNT, {});
  expect(direct.status).toBe(200);
  expect(corsHeadersOf(direct)).toEqual([]);
});

test("the gateway's endpoints are for no page", async () => {
  const path = "/internal/gateway/datasource-introspect";
  const preflighted = await preflight(CONSOLE, path);
  expect(corsHeadersOf(preflighted)).toEqual([]);
  expect(preflighted.ok).toBe(false);
  expect(corsHeadersOf(await post(path, {}, { origin: CONSOLE }))).toEqual([]);
});

async function preflight(origin: string, path = LOGIN): Promise<Response> {
  return await fetch(`${system.urls.auth}${path}`, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "connect-protocol-version,content-type",
    },
  });
}

async function post(path: string, body: object, headers: Record<string, string>) {
  return await fetch(`${system.urls.auth}${path}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-forwarded-for": freshAddress(),
      ...headers,
    },
    body: JSON.stringify(body),
  });
}

function listOf(response: Response, header: string): string[] {
  return (response.headers.get(header) ?? "").toLowerCase().split(/, */);
}

function corsHeadersOf(response: Response): string[] {
  return [...response.headers.keys()].filter((name) => name.startsWith("access-control-"));
}
