import { inject } from "vitest";
import { runSql } from "../../fixtures/postgres.ts";
import { DEMO_ACCOUNT, type System, TOKENS } from "../../fixtures/services.ts";
import { mintToken, signIn } from "../../fixtures/sign-in.ts";
import { converse } from "./conversation.ts";
import type { Recorder, Step } from "./recorder.ts";

const CLIENT = "203.0.113.40";

/** Records every entrance without a limiter; then stops the gateway while a connection is open. */
export async function recordWithoutLimiter(recorder: Recorder, system: System): Promise<void> {
  const { urls, services } = system;
  const headers = { "x-forwarded-for": CLIENT };
  const accessToken = await signIn(urls, headers);
  const sessionToken = await mintToken(urls, "demo-private", accessToken, headers);
  const talk = await converse(urls.gateway, { from: CLIENT });
  await talk.hear();
  await services.limiter.kill("SIGKILL");

  await talk.ask({ id: 1, subscribe: { datasource: "demo" } });
  await talk.ask({ id: 2, subscribe: { datasource: "demo-private", token: sessionToken } });
  const { send } = recorder;
  for (const [title, step] of waysIn({ accessToken, sessionToken })) {
    await send(`Without a limiter: ${title}`, step);
  }
  await send("Without a limiter: upgrade", {
    door: "gateway",
    method: "GET",
    path: "/gateway/realtime",
    headers: {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    },
  });
  await send("Without a limiter: why", {
    door: "gateway",
    method: "GET",
    path: "/gateway/realtime/why",
  });
  await send("Without a limiter: Check", {
    door: "gatewayRpc",
    path: "/portcullis.realtime.v1.DependencyService/Check",
    token: TOKENS.operator,
    body: {},
  });
  const stopped = services.gateway.stop();
  await talk.end();
  await stopped;
  recorder.write("websocket: without a limiter, then without a gateway", talk.lines);
}

/** Records the answers of the limiter and of auth while the database accepts no connection. */
export async function recordWithoutDatabase(recorder: Recorder, system: System): Promise<void> {
  const { urls, databaseUrl } = system;
  const headers = { "x-forwarded-for": CLIENT };
  const accessToken = await signIn(urls, headers);
  const sessionToken = await mintToken(urls, "demo-private", accessToken, headers);
  const name = new URL(databaseUrl).pathname.slice(1);
  const server = inject("postgresUrl");
  await runSql(server, `alter database "${name}" with allow_connections false`);
  await runSql(
    server,
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1",
    [name],
  );
  for (const [title, step] of waysIn({ accessToken, sessionToken })) {
    await recorder.send(`Without a database: ${title}`, step);
  }
  const buckets = [{ policy: "journey.bucket", key: "outage" }];
  const limiter = (method: string, body: object): Step => ({
    door: "limiter",
    path: `/portcullis.limiter.v1.LimiterService/${method}`,
    token: TOKENS.operator,
    body,
  });
  const lease = { policy: "journey.leases", key: "outage", leaseId: "outage", ttl: "30s" };
  const steps = {
    Consume: { buckets },
    ConsumeBatch: { requests: [{ buckets }] },
    Peek: { buckets },
    Reset: buckets[0] ?? {},
    Acquire: lease,
    Renew: { leaseIds: ["outage"], ttl: "30s" },
    Release: { leaseIds: ["outage"] },
  };
  for (const [method, body] of Object.entries(steps)) {
    await recorder.send(`Without a database: ${method}`, limiter(method, body));
  }
}

function waysIn(tokens: { accessToken: string; sessionToken: string }): [string, Step][] {
  const { accessToken, sessionToken } = tokens;
  const auth = (method: string, body: unknown, token?: string): Step => {
    return { door: "auth", path: `/portcullis.auth.v1.${method}`, body, token };
  };
  const internal = (route: string, body: unknown): Step => {
    return { door: "auth", path: `/internal/gateway/${route}`, body, token: TOKENS.gateway };
  };
  const bucket = { policy: "realtime.connect.ip", key: CLIENT };
  return [
    ["Login", auth("AuthService/Login", DEMO_ACCOUNT)],
    ["Refresh", auth("AuthService/Refresh", { refreshToken: "noise" })],
    ["MintToken", auth("DatasourceService/MintToken", { datasource: "demo" })],
    [
      "MintToken, private",
      auth("DatasourceService/MintToken", { datasource: "demo-private" }, accessToken),
    ],
    ["RevokeToken", auth("DatasourceService/RevokeToken", { token: sessionToken }, accessToken)],
    ["introspect", internal("datasource-introspect", { sessionToken })],
    ["introspect a public one", internal("datasource-introspect", { datasource: "demo" })],
    ["revocations", internal("revoked-tokens", {})],
    ["consume", internal("rate-limit/consume", bucket)],
  ];
}
