import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { Visibility } from "../../gen/portcullis/auth/v1/auth_pb.ts";
import { eventually } from "../fixtures/eventually.ts";
import { writePolicies } from "../fixtures/policies.ts";
import { runSql } from "../fixtures/postgres.ts";
import { scrape } from "../fixtures/scrape.ts";
import { DEMO_ACCOUNT, type System, TOKENS } from "../fixtures/services.ts";
import {
  callInternal,
  connectTo,
  createAccount,
  freshAddress,
  signIn,
  startAuthSystem,
} from "./auth-system.ts";

let system: System;
beforeAll(async () => {
  system = await startAuthSystem();
});
afterAll(async () => {
  await system.stop();
});

const ENDPOINTS = ["datasource-introspect", "revoked-tokens", "rate-limit/consume"] as const;

test("the gateway's endpoints are for the gateway's token alone, whatever the body", async () => {
  const strangers = ["", "wrong", TOKENS.auth, TOKENS.publisher, TOKENS.operator];
  for (const endpoint of ENDPOINTS) {
    for (const token of strangers) {
      const { status, answer } = await callInternal(system.urls.auth, endpoint, "not json", token);
      expect(status, `${endpoint} ${token}`).toBe(401);
      expect(answer).toMatchObject({ error: "unauthenticated" });
    }
  }
});

test("the gateway's endpoints answer POST alone", async () => {
  for (const endpoint of ENDPOINTS) {
    const response = await fetch(`${system.urls.auth}/internal/gateway/${endpoint}`, {
      headers: { authorization: `Bearer ${TOKENS.gateway}` },
    });
    expect([404, 405]).toContain(response.status);
  }
});

test("the gateway's endpoints name what is wrong with a body", async () => {
  const cases = [
    { endpoint: ENDPOINTS[0], body: {}, field: "sessionToken" },
    { endpoint: ENDPOINTS[0], body: { sessionToken: "" }, field: "sessionToken" },
    { endpoint: ENDPOINTS[0], body: { sessionToken: 7 }, field: "sessionToken" },
    { endpoint: ENDPOINTS[0], body: { datasource: 7 }, field: "datasource" },
    { endpoint: ENDPOINTS[0], body: "{", field: "body" },
    { endpoint: ENDPOINTS[0], body: "[]", field: "body" },
    { endpoint: ENDPOINTS[1], body: { sinceCursor: 7 }, field: "sinceCursor" },
    { endpoint: ENDPOINTS[1], body: { limit: 0 }, field: "limit" },
    { endpoint: ENDPOINTS[1], body: { limit: 1_001 }, field: "limit" },
    { endpoint: ENDPOINTS[1], body: { limit: "10" }, field: "limit" },
    { endpoint: ENDPOINTS[1], body: { limit: 1.5 }, field: "limit" },
    { endpoint: ENDPOINTS[2], body: {}, field: "policy" },
    { endpoint: ENDPOINTS[2], body: { policy: "realtime.connect.ip" }, field: "key" },
    { endpoint: ENDPOINTS[2], body: consumeOf({ key: "x".repeat(513) }), field: "key" },
    { endpoint: ENDPOINTS[2], body: consumeOf({ cost: 0 }), field: "cost" },
    { endpoint: ENDPOINTS[2], body: consumeOf({ cost: -1 }), field: "cost" },
    { endpoint: ENDPOINTS[2], body: consumeOf({ cost: 1.5 }), field: "cost" },
    { endpoint: ENDPOINTS[2], body: consumeOf({ cost: "1" }), field: "cost" },
    { endpoint: ENDPOINTS[2], body: consumeOf({ doubtful: "no" }), field: "doubtful" },
  ];
  for (const { endpoint, body, field } of cases) {
    const { status, answer } = await callInternal(system.urls.auth, endpoint, body);
    const name = `${endpoint} ${JSON.stringify(body).slice(0, 80)}`;
    expect(status, name).toBe(400);
    expect(answer, name).toMatchObject({ error: "invalid_argument", field });
  }
});

test("the gateway's endpoints refuse a body that is too large", async () => {
  const body = JSON.stringify({ sessionToken: "x".repeat(70_000) });
  const { status } = await callInternal(system.urls.auth, "datasource-introspect", body);
  expect(status).toBe(413);
});

test("the gateway's endpoints take a caller that hangs up for what it is", async () => {
  const { hostname, port } = new URL(system.urls.auth);
  const socket = connect(Number(port), hostname);
  const head = [
    "POST /internal/gateway/datasource-introspect HTTP/1.1",
    "host: auth",
    `authorization: Bearer ${TOKENS.gateway}`,
    "content-length: 100",
    "expect: 100-continue",
    "",
    "{",
  ];
  socket.write(head.join("\r\n"));
  await once(socket, "data");
  const { metricsUrls, services } = system;
  const inFlight = async () =>
    (await scrape(metricsUrls.auth)).sum("portcullis_door_in_flight", { door: "auth" });
  expect(await inFlight()).toBe(1);
  socket.resetAndDestroy();
  await eventually(async () => {
    expect(await inFlight()).toBe(0);
  });
  const complaints = services.auth.logs().filter((line) => line.level !== "info");
  expect(complaints.map((line) => line.msg)).not.toContain("the database cannot serve now");
});

test("datasource-introspect describes a live token", async () => {
  const account = await createAccount(system.databaseUrl);
  const { datasources } = await signIn(system.urls.auth, account);
  const { token } = await datasources.mintToken({ datasource: "demo-private" });
  const { status, answer } = await introspect({ sessionToken: token });
  expect(status).toBe(200);
  expect(answer).toEqual({
    active: true,
    datasource: "demo-private",
    subject: account.id,
    scope: "datasource:stream",
    expiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    intent: {
      kind: "stream",
      datasource: "demo-private",
      accessVersion: "1",
      loginSession: expect.stringMatching(/^[0-9a-f-]{36}$/),
    },
  });
});

test("datasource-introspect says only `inactive` of everything else", async () => {
  const { accessToken } = await signIn(system.urls.auth, DEMO_ACCOUNT);
  for (const sessionToken of ["noise", "a.b.c", accessToken, "x".repeat(9_000)]) {
    const { status, answer } = await introspect({ sessionToken });
    expect({ status, answer }).toEqual({ status: 200, answer: { active: false } });
  }
});

test("datasource-introspect cuts a token whose account, grant or login session has ended", async () => {
  const endings = [
    "update auth.accounts set disabled_at = now() where id = $1",
    "update auth.accounts set locked_at = now() where id = $1",
    "delete from auth.accounts where id = $1",
    "delete from auth.datasource_readers where account_id = $1",
    "update auth.login_sessions set revoked_at = now() where account_id = $1",
  ];
  for (const ending of endings) {
    const account = await createAccount(system.databaseUrl);
    const { datasources } = await signIn(system.urls.auth, account);
    const { token } = await datasources.mintToken({ datasource: "demo-private" });
    expect((await introspect({ sessionToken: token })).answer).toMatchObject({ active: true });
    await runSql(system.databaseUrl, ending, [account.id]);
    expect((await introspect({ sessionToken: token })).answer, ending).toEqual({ active: false });
  }
});

test("datasource-introspect tells of a datasource whether it is public", async () => {
  const operator = connectTo(system.urls.authAdmin, { bearer: TOKENS.operator }).datasources;
  await operator.put({ datasource: "open", visibility: Visibility.PUBLIC });
  expect((await introspect({ datasource: "open" })).answer).toEqual({
    active: true,
    datasource: "open",
    subject: "public",
    scope: "datasource:stream",
    expiresAt: null,
    intent: { kind: "stream", datasource: "open", accessVersion: "1", loginSession: null },
  });
  for (const datasource of ["demo-private", "unknown", "", "Not A Name"]) {
    expect((await introspect({ datasource })).answer, datasource).toEqual({ active: false });
  }
});

test("introspection is limited by calling instance, and a stranger spends nothing of it", async () => {
  const limited = await startWithPolicies((yaml) => yaml.replace("limit: 60000", "limit: 2"));
  const ask = async (token: string) =>
    await callInternal(
      limited.urls.auth,
      "datasource-introspect",
      { sessionToken: "noise" },
      token,
    );
  for (let call = 0; call < 5; call++) expect((await ask("wrong")).status).toBe(401);
  expect((await ask(TOKENS.gateway)).status).toBe(200);
  expect((await ask(TOKENS.gateway)).status).toBe(200);
  // Each call claims another forwarded address: our own services do not come through proxies.
  const refused = await ask(TOKENS.gateway);
  expect(refused.status).toBe(429);
  expect(refused.answer).toMatchObject({ error: "resource_exhausted" });
  expect(Number(refused.retryAfter)).toBeGreaterThanOrEqual(1);
});

test("rate-limit/consume forwards to the limiter and says what it decided", async () => {
  const key = freshAddress();
  const first = await consume({ key });
  expect(first).toMatchObject({
    status: 200,
    answer: { allowed: true, remaining: 59, retryAfterMs: 0, reason: "allowed" },
  });
  expect(await consume({ key, cost: 59 })).toMatchObject({ answer: { allowed: true } });
  const limited = await consume({ key, cost: 60 });
  expect(limited.status).toBe(200);
  expect(limited.answer).toMatchObject({ allowed: false, reason: "limited" });
  expect((limited.answer as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(0);
  expect(await consume({ key: freshAddress() })).toMatchObject({ answer: { remaining: 59 } });
});

test("rate-limit/consume keeps doubtful addresses apart", async () => {
  const key = freshAddress();
  await consume({ key, cost: 60, doubtful: true });
  expect(await consume({ key })).toMatchObject({ answer: { remaining: 59 } });
});

test("rate-limit/consume forwards realtime policies alone", async () => {
  for (const policy of ["login.ip", "mint.user", "realtime", "realtimes.x", "x.realtime.y"]) {
    expect((await consume({ policy })).status, policy).toBe(403);
  }
});

test.each([
  [{ key: "not an address" }, 400, "key", "must be an IP address"],
  [{ key: "203.0.113.9/24" }, 400, "key", "must be an IP address"],
  [{ cost: 100_000 }, 400, "cost", "is more than"],
  [{ policy: "realtime.connections.ip" }, 400, "leaseId", "is required"],
  [{ policy: "realtime.unknown" }, 404, "policy", "no policy"],
  [{ policy: "realtime.Un known" }, 404, "policy", "no policy"],
])(
  "rate-limit/consume refuses %j as the limiter does: %d",
  async (bucket, status, field, problem) => {
    const error = status === 400 ? "invalid_argument" : "not_found";
    const message = expect.stringContaining(`${field}: ${problem}`);
    const answer = { error, field, message };
    expect(await consume(bucket)).toMatchObject({ status, retryAfter: null, answer });
  },
);

test("rate-limit/consume counts what it refuses for good as no outage", async () => {
  const before = await outcomes();
  for (const bucket of [{ policy: "realtime.unknown" }, { key: "x" }, { cost: 100_000 }]) {
    expect((await consume(bucket)).status).toBeLessThan(500);
  }
  expect(await outcomes()).toEqual(before);
  expect(system.services.auth.logs().map(({ msg }) => msg)).not.toContain(
    "the limiter refused or misunderstood a consume",
  );
});

async function outcomes() {
  const metrics = await scrape(system.metricsUrls.auth);
  return ["backend-error", "fail-closed", "fail-open"].map((outcome) =>
    metrics.sum("portcullis_limiter_outcomes_total", { outcome }),
  );
}

function consumeOf(bucket: object): object {
  return { policy: "realtime.connect.ip", key: freshAddress(), ...bucket };
}

async function consume(bucket: object) {
  return await callInternal(system.urls.auth, "rate-limit/consume", consumeOf(bucket));
}

async function introspect(body: object) {
  return await callInternal(system.urls.auth, "datasource-introspect", body);
}

/** A system whose limiter starts with other policies than the built-in ones. */
async function startWithPolicies(change: (yaml: string) => string): Promise<System> {
  const policies = await writePolicies(change);
  onTestFinished(policies.remove);
  const started = await startAuthSystem(policies.environment);
  onTestFinished(started.stop);
  return started;
}
