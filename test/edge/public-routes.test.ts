import { afterEach, describe, expect, test } from "vitest";
import { formatRequest, sendBytes, sendRaw } from "../../tools/edge/prove/raw-request.ts";
import { valuesOf } from "../../tools/edge/prove/recorder.ts";
import { RUNNABLE_PROXIES } from "../../tools/edge/start-proxy.ts";
import { canRun } from "./can-run.ts";
import { useEdge } from "./edge-fixture.ts";
import { API, OTHER_ROUTES, REALTIME, requestOn } from "./routes.ts";

/** Targets that lead to something that is not for browsers, or might. */
const CLOSED_TARGETS = [
  "/",
  "/internal/gateway/datasource-introspect",
  "//internal/gateway/revoked-tokens",
  "/portcullis.limiter.v1.LimiterService/Consume",
  "/portcullis.limiter.v1.PolicyService/Put",
  "/portcullis.auth.v1.AccountService/Create",
  "/portcullis.auth.v1.DatasourceService/Put",
  "/portcullis.auth.v1.DatasourceService/Grant",
  "/portcullis.auth.v1.AuthService/SomethingNew",
  "/portcullis.auth.v1.AuthService/LoginAs",
  "/portcullis.auth.v1.GatewayService/WatchRevocations",
  "/portcullis.realtime.v1.PublishService/Publish",
  "/portcullis.realtime.v1.DependencyService/Check",
  "/portcullis.identity.v1.IdentityService/WhoIsCalling",
  "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit",
  "/metrics",
  "/healthz",
  "/readyz",
  "/portcullis.auth.v1.AuthService",
  "/portcullis.auth.v1.AuthService/",
  "/portcullis.auth.v1.AuthService/Login/",
  "/portcullis.auth.v1.AuthService/../../internal/gateway/datasource-introspect",
  "/portcullis.auth.v1.AuthService/%2e%2e/%2e%2e/internal/gateway/datasource-introspect",
  "/portcullis.auth.v1.AuthService/..%2f..%2finternal%2fgateway%2fdatasource-introspect",
  "/portcullis.auth.v1.AuthServiceX/Login",
  "/portcullisXauth.v1.AuthService/Login",
  "/x/portcullis.auth.v1.AuthService/Login",
  "/internal/../portcullis.auth.v1.AuthService/Login",
  "/console/../internal/gateway/datasource-introspect",
  "/console/%2e%2e/internal/gateway/datasource-introspect",
  "/console/.env",
  "/console//internal",
  "/gateway/%72ealtime",
  "/gateway/realtime/",
  "/gateway/realtime//why",
  "/gateway/realtime;a=b",
  "/gateway/realtime%00",
  "/gateway/realtime%0a",
  "/gateway/realtime%3f",
  "/gateway/./realtime",
  "/x/../gateway/realtime",
  "/GATEWAY/REALTIME",
  "/.well-known/jwks.json/..",
  "/.well-known/",
  "http://edge.example/internal/gateway/datasource-introspect",
  "*",
];

for (const proxy of RUNNABLE_PROXIES) {
  describe.runIf(canRun(proxy))(`${proxy} as edge`, () => {
    const edge = useEdge(proxy);
    afterEach(() => void edge().recorder.take());

    test("forwards nothing but the public routes, however the others are spelled", async () => {
      for (const target of CLOSED_TARGETS) {
        for (const method of ["GET", "POST"]) {
          const to = { host: "127.0.0.1", port: edge().port };
          const headerLines = ["Host: edge.example", "Content-Length: 0"];
          const { status } = await sendRaw(to, { method, target, headerLines });
          expect([400, 404], `${method} ${target} was answered with ${status}`).toContain(status);
          expect(edge().recorder.take(), `${method} ${target} reached a service`).toEqual([]);
        }
      }
    });

    test("forwards the public routes with their query, as they were spelled", async () => {
      for (const route of [API, REALTIME, ...OTHER_ROUTES]) {
        const request = requestOn(route, { id: "", lines: [], forwardedLines: [] });
        const target = `${route.path}?a=%2F..&b=1`;
        const to = { host: "127.0.0.1", port: edge().port };
        await sendRaw(to, { ...request, target });
        const lines = edge()
          .recorder.take()
          .map(({ requestLine }) => requestLine);
        expect(lines).toEqual([`${route.method} ${target} HTTP/1.1`]);
      }
    });

    test("opens websockets at the gateway's route, and no other upgrade anywhere", async () => {
      const to = { host: "127.0.0.1", port: edge().port };
      const hostile = { id: "", lines: [], forwardedLines: [] };
      expect((await sendRaw(to, requestOn(REALTIME, hostile))).status).toBe(101);
      edge().recorder.take();
      for (const path of [REALTIME.path, ...OTHER_ROUTES.map((route) => route.path)]) {
        const headerLines = [
          "Host: a",
          "Connection: Upgrade, HTTP2-Settings",
          "Upgrade: h2c",
          "HTTP2-Settings: AAMAAABk",
        ];
        const { status } = await sendRaw(to, { method: "GET", target: path, headerLines });
        expect(status, path).not.toBe(101);
        const [received] = edge().recorder.take();
        expect(received && valuesOf(received, "upgrade"), path).toEqual([]);
      }
      for (const route of OTHER_ROUTES) {
        const upgrade = requestOn({ ...route, method: "GET", upgrade: true }, hostile);
        expect((await sendRaw(to, upgrade)).status, route.path).not.toBe(101);
        const received = edge().recorder.take();
        expect(
          received.flatMap((one) => valuesOf(one, "upgrade")),
          route.path,
        ).toEqual([]);
      }
    });

    test("refuses a head that no service takes, before any service sees it", async () => {
      const to = { host: "127.0.0.1", port: edge().port };
      const filler = (bytes: number) => ["Host: a", `X-Filler: ${"a".repeat(bytes)}`];
      const send = async (bytes: number) => {
        return await sendRaw(to, {
          method: "GET",
          target: REALTIME.path,
          headerLines: filler(bytes),
        });
      };
      expect((await send(12_000)).status).toBe(200);
      expect(edge().recorder.take()).toHaveLength(1);
      for (const bytes of [80_000, 200_000]) {
        expect([400, 431]).toContain((await send(bytes)).status);
        expect(edge().recorder.take()).toEqual([]);
      }
    });

    test("believes no PROXY protocol header, in either version", async () => {
      const to = { host: "127.0.0.1", port: edge().port };
      const request = formatRequest(requestOn(API, { id: "", lines: [], forwardedLines: [] }));
      for (const header of [PROXY_V1, PROXY_V2]) {
        const { status } = await sendBytes(to, Buffer.concat([header, request]));
        expect([0, 400]).toContain(status);
        expect(edge().recorder.take()).toEqual([]);
      }
    });

    test("forwards a request with two lengths not at all, or as one", async () => {
      const to = { host: "127.0.0.1", port: edge().port };
      const smuggled = "GET /internal/gateway/datasource-introspect HTTP/1.1\r\nHost: a\r\n\r\n";
      const head = [
        `POST ${API.path} HTTP/1.1`,
        "Host: a",
        `Content-Length: ${smuggled.length + 5}`,
        "Transfer-Encoding: chunked",
      ];
      await sendBytes(to, Buffer.from(`${head.join("\r\n")}\r\n\r\n0\r\n\r\n${smuggled}`));
      const targets = edge()
        .recorder.take()
        .map(({ requestLine }) => requestLine);
      expect(targets.filter((line) => line.includes("/internal/"))).toEqual([]);
    });
  });

  describe.runIf(canRun(proxy))(`${proxy} as edge of a named domain`, () => {
    const edge = useEdge(proxy, { extra: "domains: [portcullis.example]" });

    test("answers to its name alone", async () => {
      const send = async (host: string) => {
        const to = { host: "127.0.0.1", port: edge().port };
        const headerLines = [`Host: ${host}`];
        return await sendRaw(to, { method: "GET", target: "/gateway/realtime/why", headerLines });
      };
      expect((await send("portcullis.example")).status).toBe(200);
      expect((await send(`portcullis.example:${edge().port}`)).status).toBe(200);
      expect((await send("other.example")).status).toBe(404);
      expect((await send("127.0.0.1")).status).toBe(404);
      expect(edge().recorder.take()).toHaveLength(2);
    });
  });
}

const PROXY_V1 = Buffer.from("PROXY TCP4 6.6.6.6 10.0.0.1 1234 80\r\n");

/** Signature, version 2 and command PROXY, TCP over IPv4, 12 bytes: 6.6.6.6:1234 to 10.0.0.1:80. */
const PROXY_V2 = Buffer.from(
  "0d0a0d0a000d0a515549540a" + "2111000c" + "06060606" + "0a000001" + "04d2" + "0050",
  "hex",
);
