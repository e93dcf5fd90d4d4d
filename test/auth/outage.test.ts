import { Code } from "@connectrpc/connect";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../fixtures/eventually.ts";
import { createTestDatabase, type OwnPostgres, startPostgres } from "../fixtures/postgres.ts";
import { DEMO_ACCOUNT, type System, startSystem } from "../fixtures/services.ts";
import {
  callInternal,
  connectTo,
  freshAddress,
  rejection,
  signIn,
  startAuthSystem,
} from "./auth-system.ts";

/** What a caller must never have to wait longer for. */
const ANSWER_MS_MAX = 1_000;
const RECOVERY_MS_MAX = 5_000;

test("every way in answers 503 within a second while the database is paused, and works after", async () => {
  const { system, postgres } = await setup();
  const token = await mintDemo(system);
  await postgres.stopAll();
  await expectClosed(system, token);
  await expectClosed(system, token);
  await postgres.contAll();
  await eventually(() => expectOpen(system, token), RECOVERY_MS_MAX);
});

test("every way in answers 503 after kill -9 of the database, and works after its restart", async () => {
  const { system, postgres } = await setup();
  const token = await mintDemo(system);
  await postgres.kill9();
  await expectClosed(system, token);
  await postgres.restart();
  await eventually(() => expectOpen(system, token), RECOVERY_MS_MAX);
});

test("every way in answers 503 while the limiter is gone, and works after its return", async () => {
  const system = await startAuthSystem();
  onTestFinished(system.stop);
  const token = await mintDemo(system);
  await system.services.limiter.kill("SIGKILL");
  await expectClosed(system, token);
  await system.services.limiter.restart();
  await eventually(() => expectOpen(system, token), RECOVERY_MS_MAX);
});

test("no decision is counted as such, and never as a rejection", async () => {
  const system = await startAuthSystem();
  onTestFinished(system.stop);
  await system.services.limiter.kill("SIGKILL");
  await rejection(connectTo(system.urls.auth).auth.login(DEMO_ACCOUNT));
  const counts = await outcomesOf(system, "login.ip");
  expect(counts).toEqual({
    allow: 0,
    reject: 0,
    "backend-error": 1,
    "fail-open": 0,
    "fail-closed": 1,
  });
});

test("fail-open lets login and mint proceed without the limiter, under limits of their own", async () => {
  const system = await startWithoutLimiter({ SECURITY_LIMITER_FAILURE_MODE: "fail-open" });
  const { auth } = connectTo(system.urls.auth);
  await auth.login(DEMO_ACCOUNT);
  const guesses = Array.from({ length: 8 }, () =>
    rejection(auth.login({ email: DEMO_ACCOUNT.email, password: "x" })),
  );
  const codes = (await Promise.all(guesses)).map((error) => error.code);
  expect(codes.filter((code) => code === Code.ResourceExhausted).length).toBeGreaterThan(0);
  await connectTo(system.urls.auth).datasources.mintToken({ datasource: "demo" });
});

test("fail-open of the API alone keeps what it forwards for the gateway closed", async () => {
  const open = { SECURITY_LIMITER_FAILURE_MODE: "fail-open" };
  const system = await startWithoutLimiter(open);
  expect(await consume(system)).toMatchObject({
    status: 503,
    answer: { allowed: false, reason: "backend_fail_closed" },
  });
  const both = await startWithoutLimiter({ ...open, REALTIME_LIMITER_FAILURE_MODE: "fail-open" });
  expect(await consume(both)).toMatchObject({
    status: 200,
    answer: { allowed: true, reason: "backend_fail_open" },
  });
  const realtime = await startWithoutLimiter({ REALTIME_LIMITER_FAILURE_MODE: "fail-open" });
  expect(await consume(realtime)).toMatchObject({ status: 503 });
});

test("LOGIN_ALWAYS_CLOSED keeps login closed whatever the failure mode", async () => {
  const system = await startWithoutLimiter({
    SECURITY_LIMITER_FAILURE_MODE: "fail-open",
    LOGIN_ALWAYS_CLOSED: "true",
  });
  const error = await rejection(connectTo(system.urls.auth).auth.login(DEMO_ACCOUNT));
  expect(error.message).toBe("[unavailable] Login is temporarily unavailable");
  await connectTo(system.urls.auth).datasources.mintToken({ datasource: "demo" });
});

test("fail-open does not cover a wrong token", async () => {
  const system = await startAuthSystem({ SECURITY_LIMITER_FAILURE_MODE: "fail-open" });
  onTestFinished(system.stop);
  const mistaken = await startSystem({
    services: ["auth"],
    databaseUrl: system.databaseUrl,
    environment: {
      LIMITER_URL: system.urls.limiter,
      AUTH_SERVICE_TOKEN: "another-token",
      SECURITY_LIMITER_FAILURE_MODE: "fail-open",
    },
  });
  onTestFinished(mistaken.stop);
  const error = await rejection(connectTo(mistaken.urls.auth).auth.login(DEMO_ACCOUNT));
  expect(error.code).toBe(Code.Unavailable);
});

/** A system on a Postgres of its own. */
async function setup(): Promise<{ system: System; postgres: OwnPostgres }> {
  const postgres = await startPostgres();
  onTestFinished(postgres.stop);
  const system = await startSystem({
    services: ["limiter", "auth"],
    databaseUrl: postgres.url,
    environment: { API_TRUST_PROXY_HOPS: "1" },
  });
  onTestFinished(system.stop);
  return { system, postgres };
}

async function startWithoutLimiter(environment: Record<string, string>): Promise<System> {
  const databaseUrl = await createTestDatabase("open");
  const system = await startSystem({
    services: ["auth"],
    databaseUrl,
    environment: { API_TRUST_PROXY_HOPS: "1", ...environment },
  });
  onTestFinished(system.stop);
  return system;
}

async function mintDemo(system: System): Promise<string> {
  const { datasources } = await signIn(system.urls.auth, DEMO_ACCOUNT);
  return (await datasources.mintToken({ datasource: "demo-private" })).token;
}

async function consume(system: System) {
  const body = { policy: "realtime.connect.ip", key: freshAddress() };
  return await callInternal(system.urls.auth, "rate-limit/consume", body);
}

async function expectClosed(system: System, token: string): Promise<void> {
  const { auth, datasources } = connectTo(system.urls.auth);
  const connectCalls = [
    () => rejection(auth.login(DEMO_ACCOUNT)),
    () => rejection(datasources.mintToken({ datasource: "demo" })),
  ];
  for (const call of connectCalls) {
    const { ms, result } = await timed(call);
    expect(result.code).toBe(Code.Unavailable);
    expect(Number(result.metadata.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(ms).toBeLessThan(ANSWER_MS_MAX);
  }
  const login = await rejection(auth.login(DEMO_ACCOUNT));
  expect(login.message).toBe("[unavailable] Login is temporarily unavailable");
  const internalCalls = [
    () => callInternal(system.urls.auth, "datasource-introspect", { sessionToken: token }),
    () => callInternal(system.urls.auth, "revoked-tokens", {}),
    () => consume(system),
  ];
  for (const call of internalCalls) {
    const { ms, result } = await timed(call);
    expect(result.status).toBe(503);
    expect(Number(result.retryAfter)).toBeGreaterThanOrEqual(1);
    expect(ms).toBeLessThan(ANSWER_MS_MAX);
  }
}

async function expectOpen(system: System, sessionToken: string): Promise<void> {
  await connectTo(system.urls.auth).auth.login(DEMO_ACCOUNT);
  await connectTo(system.urls.auth).datasources.mintToken({ datasource: "demo" });
  const introspected = await callInternal(system.urls.auth, "datasource-introspect", {
    sessionToken,
  });
  expect(introspected.answer).toMatchObject({ active: true });
  expect((await callInternal(system.urls.auth, "revoked-tokens", {})).status).toBe(200);
  expect(await consume(system)).toMatchObject({ status: 200, answer: { reason: "allowed" } });
}

async function timed<T>(call: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const startedAt = performance.now();
  const result = await call();
  return { ms: performance.now() - startedAt, result };
}

async function outcomesOf(system: System, policy: string) {
  const text = await (await fetch(system.metricsUrls.auth)).text();
  const lines = text.split("\n").filter((line) => line.includes(`policy="${policy}"`));
  const samples = lines.flatMap((line) => {
    const sample = /^portcullis_limiter_outcomes_total\{.*outcome="([\w-]+)".*\} (\d+)/.exec(line);
    return sample === null ? [] : [[sample[1], Number(sample[2])] as const];
  });
  return Object.fromEntries(samples);
}
