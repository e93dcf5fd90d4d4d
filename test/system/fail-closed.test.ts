import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createVisitor,
  ENTRANCES,
  type EntranceName,
  type Visitor,
} from "../fixtures/entrances.ts";
import { eventually } from "../fixtures/eventually.ts";
import { type OwnPostgres, startPostgres } from "../fixtures/postgres.ts";
import type { ServiceName } from "../fixtures/service-process.ts";
import { type System, startSystem } from "../fixtures/services.ts";

/** The promise: a request without a decision is refused within this time. */
const REFUSED_WITHIN_MS = 1_000;
/** The promise: once the fault is gone, everything works again within this time. */
const RECOVERED_WITHIN_MS = 5_000;
/** Slow enough that retries exhaust no limit. */
const RETRY_MS = 200;

let postgres: OwnPostgres;
let system: System;
let visitor: Visitor;

beforeAll(async () => {
  postgres = await startPostgres();
  system = await startSystem({
    databaseUrl: postgres.url,
    environment: { API_TRUST_PROXY_HOPS: "1", REALTIME_TRUST_PROXY_HOPS: "1" },
  });
});

afterAll(async () => {
  await system.stop();
  await postgres.stop();
});

describe("all of Postgres stopped", () => {
  beforeAll(async () => {
    visitor = await createVisitor(system, "203.0.113.1");
    await postgres.stopAll();
  });
  afterAll(() => visitor.leave());
  test.each(ENTRANCES)("%s is refused with 503 within 1 s", expectRefusal);
  test("all at once are refused with 503 within 1 s", expectRefusals);
  test("everything works within 5 s after it goes on, without a restarted service", async () => {
    const pids = pidsOf("auth", "limiter", "gateway");
    await postgres.contAll();
    await expectRecovery();
    expect(pidsOf("auth", "limiter", "gateway")).toEqual(pids);
  });
});

describe("Postgres stopped, then its postmaster killed with SIGKILL", () => {
  beforeAll(async () => {
    visitor = await createVisitor(system, "203.0.113.2");
    await postgres.stopAll();
    await postgres.kill9();
  });
  afterAll(() => visitor.leave());
  test.each(ENTRANCES)("%s is refused with 503 within 1 s", expectRefusal);
  test("all at once are refused with 503 within 1 s", expectRefusals);
  test("everything works within 5 s after it is back, without a restarted service", async () => {
    const pids = pidsOf("auth", "limiter", "gateway");
    await postgres.restart();
    await expectRecovery();
    expect(pidsOf("auth", "limiter", "gateway")).toEqual(pids);
  });
});

describe("the limiter killed with SIGKILL", () => {
  beforeAll(async () => {
    visitor = await createVisitor(system, "203.0.113.3");
    await system.services.limiter.kill("SIGKILL");
  });
  afterAll(() => visitor.leave());
  const others = ENTRANCES.filter((name) => name !== "consume at the limiter");
  test.each(others)("%s is refused with 503 within 1 s", expectRefusal);
  test("login says that it is temporarily unavailable", async () => {
    const { text } = await visitor.entrances.login();
    expect(text).toContain("Login is temporarily unavailable");
  });
  test("everything works within 5 s after it is back", async () => {
    const pids = pidsOf("auth", "gateway");
    await system.services.limiter.restart();
    await expectRecovery();
    expect(pidsOf("auth", "gateway")).toEqual(pids);
  });
});

describe("the limiter stopped with SIGSTOP", () => {
  beforeAll(async () => {
    visitor = await createVisitor(system, "203.0.113.4");
    process.kill(system.services.limiter.pid, "SIGSTOP");
  });
  afterAll(() => visitor.leave());
  const others = ENTRANCES.filter((name) => name !== "consume at the limiter");
  test.each(others)("%s is refused with 503 within 1 s", expectRefusal);
  test("everything works within 5 s after it goes on", async () => {
    process.kill(system.services.limiter.pid, "SIGCONT");
    await expectRecovery();
  });
});

async function expectRefusal(name: EntranceName): Promise<void> {
  const attempt = await visitor.entrances[name]();
  expect(attempt, JSON.stringify(attempt)).toMatchObject({ status: 503 });
  expect(attempt.tookMs).toBeLessThan(REFUSED_WITHIN_MS);
}

async function expectRefusals(): Promise<void> {
  await Promise.all(ENTRANCES.map(expectRefusal));
}

async function expectRecovery(): Promise<void> {
  const mendedAtMs = performance.now();
  const open = async (name: EntranceName) => {
    const attempt = await visitor.entrances[name]();
    expect(attempt.status, `${name}: ${attempt.text}`).toBeLessThan(300);
  };
  await Promise.all(
    ENTRANCES.map((name) => eventually(() => open(name), RECOVERED_WITHIN_MS, RETRY_MS)),
  );
  expect(performance.now() - mendedAtMs).toBeLessThan(RECOVERED_WITHIN_MS);
}

/** The pids of services that must still run. Throws if one has ended. */
function pidsOf(...names: ServiceName[]): number[] {
  const pids = names.map((name) => system.services[name].pid);
  for (const pid of pids) process.kill(pid, 0);
  return pids;
}
