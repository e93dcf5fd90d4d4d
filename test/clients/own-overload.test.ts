import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { LimiterClient } from "../../clients/limiter/limiter-client.ts";
import type { Verdict } from "../../clients/limiter/verdict.ts";
import { createTestDatabase } from "../fixtures/postgres.ts";
import { PATIENCE } from "../fixtures/services.ts";
import { type LimiterProcess, startLimiter } from "../limiter/limiter-process.ts";
import { createTestClient, POLICIES } from "./test-client.ts";

/** A client that waits for longer than a busy machine takes. */
const PATIENT_MS = Number(PATIENCE.LIMITER_TIMEOUT_MS);

let limiter: LimiterProcess;

beforeAll(async () => {
  limiter = await startLimiter({
    databaseUrl: await createTestDatabase("clients"),
    policies: POLICIES,
    environment: { LIMITER_DECISION_TIMEOUT_MS: PATIENCE.LIMITER_DECISION_TIMEOUT_MS },
  });
});

afterAll(async () => await limiter.stop());

test("a thousand consumes of a process that starts cold are all decided", async () => {
  expect(await burst(1_000, PATIENT_MS)).toEqual({ undecided: 0, next: "allowed" });
});

test("a cold burst of more than there is room for refuses nobody who comes later", async () => {
  const result = await burst(12_000, PATIENT_MS);
  expect(result).toMatchObject({ next: "allowed" });
  expect(result).not.toMatchObject({ undecided: 0 });
});

test("a flood of one key leaves other keys and other classes all their decisions", async () => {
  const client = await setup(PATIENT_MS);
  for (let round = 0; round < 3; round++) {
    const flooded = flood(client, () => "flood");
    expect(await kinds(honestRequests(client))).toEqual({ allowed: 7 });
    const { "no-decision": shed = 0, allowed = 0 } = await kinds(flooded);
    expect(shed).toBeGreaterThan(9_000);
    expect(allowed).toBeGreaterThan(0);
  }
});

test("a flood of one class from many keys leaves other classes all their decisions", async () => {
  const client = await setup(PATIENT_MS);
  const flooded = flood(client, (request) => `flood ${request}`);
  const others = honestRequests(client).slice(-2);
  expect(await kinds(others)).toEqual({ allowed: 2 });
  const { "no-decision": shed = 0 } = await kinds(flooded);
  expect(shed).toBeGreaterThan(6_000);
});

test("a flood of one key leaves refunds their way", async () => {
  const client = await setup(PATIENT_MS);
  const verdict = await client.consume([{ policy: "mint.user", key: "honest" }]);
  const flooded = flood(client, () => "flood");
  const receipt = verdict.kind === "allowed" ? verdict.receipt : "";
  expect(await client.refund(receipt)).toBe(true);
  await kinds(flooded);
});

test("an event loop that stands still opens no circuit breaker", async () => {
  const client = await setup(500);
  const bucket = { policy: "login.ip", key: "stalled" };
  for (let stall = 0; stall < 3; stall++) {
    const pending = Array.from({ length: 50 }, () => client.consume([bucket]));
    block(700);
    await Promise.all(pending);
    expect(await client.consume([bucket])).toMatchObject({ kind: "allowed" });
  }
});

/** More logins at once than there is room for. */
function flood(client: LimiterClient, keyOf: (request: number) => string): Promise<Verdict>[] {
  return Array.from({ length: 12_000 }, (_, request) =>
    client.consume([{ policy: "login.ip", key: keyOf(request) }]),
  );
}

/** Those of the same class first, then one each of two other classes. */
function honestRequests(client: LimiterClient): Promise<Verdict>[] {
  return [
    ...Array.from({ length: 5 }, (_, key) => ({ policy: "login.ip", key: `honest ${key}` })),
    { policy: "mint.user", key: "honest" },
    { policy: "revocations.caller", key: "gateway" },
  ].map((bucket) => client.consume([bucket]));
}

function block(ms: number): void {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
}

async function kinds(verdicts: readonly Promise<Verdict>[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { kind } of await Promise.all(verdicts)) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

async function burst(requests: number, timeoutMs: number): Promise<unknown> {
  const file = "dist/test/clients/cold-burst-process.js";
  const parameters = [file, limiter.url, String(requests), String(timeoutMs)];
  const { stdout } = await promisify(execFile)(process.execPath, parameters, { timeout: 30_000 });
  return JSON.parse(stdout);
}

async function setup(timeoutMs: number): Promise<LimiterClient> {
  const client = await createTestClient(limiter.url, { timeoutMs });
  onTestFinished(() => client.close());
  return client;
}
