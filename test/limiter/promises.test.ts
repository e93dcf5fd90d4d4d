import { afterAll, beforeAll, expect, test } from "vitest";
import type { Answer } from "../fixtures/call.ts";
import { createTestDatabase, runSql } from "../fixtures/postgres.ts";
import { type LimiterProcess, startLimiter } from "./limiter-process.ts";

// What receipts, idempotency keys and leases promise, over the wire.

const POLICIES = {
  five: { key: "text", algorithm: "token_bucket", limit: 5, period: "1d" },
  shadow: { key: "text", algorithm: "token_bucket", limit: 5, period: "1d", mode: "shadow" },
  off: { key: "text", algorithm: "token_bucket", limit: 5, period: "1d", mode: "off" },
  places: { key: "text", algorithm: "concurrency", limit: 1 },
  watched: { key: "text", algorithm: "concurrency", limit: 1, mode: "shadow" },
};

let databaseUrl: string;
let limiter: LimiterProcess;

beforeAll(async () => {
  databaseUrl = await createTestDatabase("promises");
  // A busy machine must not make a decision late: what is decided is told here.
  const environment = { LIMITER_DECISION_TIMEOUT_MS: "5000" };
  limiter = await startLimiter({ databaseUrl, policies: POLICIES, environment });
});

afterAll(async () => {
  await limiter.stop();
});

test("Refund of a charge that was reset gives nothing of another's back", async () => {
  const first = await consume("five", "reset", { cost: 5 });
  expect((await limiter.rpc("Reset", { policy: "five", key: "reset" })).body).toEqual({
    reset: true,
  });
  const second = await consume("five", "reset", { cost: 5 });
  expect(await refund(first)).toEqual({ refunded: false });
  expect(outcomeOf(await consume("five", "reset"))).toBe("OUTCOME_REJECTED");
  expect(await refund(second)).toEqual({ refunded: true });
  expect(await refund(second)).toEqual({ refunded: false });
});

test("Refund of a lease that was released gives no place away that was taken anew", async () => {
  const place = { policy: "places", key: "anew", leaseId: "anew", ttl: "30s" };
  const first = await limiter.rpc("Acquire", place);
  await limiter.rpc("Release", { leaseIds: ["anew"] });
  const second = await limiter.rpc("Acquire", place);
  expect(await refund(first)).toEqual({ refunded: false });
  const other = await limiter.rpc("Acquire", { ...place, leaseId: "other" });
  expect(outcomeOf(other)).toBe("OUTCOME_REJECTED");
  expect(await refund(second)).toEqual({ refunded: true });
});

test("Consume with a key is decided anew after its refund, so that every allowed one is paid for", async () => {
  const outcomes: unknown[] = [];
  for (let round = 0; round < 3; round++) {
    const answer = await consume("five", "again", { cost: 5, idempotencyKey: "again" });
    outcomes.push(outcomeOf(answer), await refund(answer));
    outcomes.push(outcomeOf(await consume("five", "again", { cost: 5, idempotencyKey: "again" })));
    expect(outcomeOf(await consume("five", "again"))).toBe("OUTCOME_REJECTED");
    await limiter.rpc("Reset", { policy: "five", key: "again" });
  }
  const each = ["OUTCOME_ALLOWED", { refunded: true }, "OUTCOME_ALLOWED"];
  expect(outcomes).toEqual([...each, ...each, ...each]);
});

test("Consume with a key takes the place anew once its lease was released", async () => {
  const request = {
    buckets: [{ policy: "places", key: "kept", leaseId: "kept", leaseTtl: "30s" }],
    idempotencyKey: "kept",
  };
  const first = await limiter.rpc("Consume", request);
  expect((await limiter.rpc("Consume", request)).body).toEqual(first.body);
  await limiter.rpc("Release", { leaseIds: ["kept"] });
  expect(outcomeOf(await limiter.rpc("Consume", request))).toBe("OUTCOME_ALLOWED");
  expect(await remaining("places", "kept")).toBe("0");
  await limiter.rpc("Release", { leaseIds: ["kept"] });
  await limiter.rpc("Acquire", { policy: "places", key: "kept", leaseId: "thief", ttl: "30s" });
  expect(outcomeOf(await limiter.rpc("Consume", request))).toBe("OUTCOME_REJECTED");
});

test("ConsumeBatch refuses a key that another of its requests has used, and nobody else", async () => {
  for (let round = 0; round < 5; round++) {
    const requests = Array.from({ length: 20 }, (_, i) => ({
      buckets: [{ policy: "five", key: `batch-${round}-${i}` }],
      ...(i % 10 === 3 ? { idempotencyKey: `batch-${round}` } : {}),
    }));
    const { body } = await limiter.rpc("ConsumeBatch", { requests });
    expect(resultsOf(body).map(({ error }) => fieldsOf(error)["code"])).toEqual(
      requests.map((_, i) => (i === 13 ? "invalid_argument" : undefined)),
    );
  }
});

test("Consume with a key that others use at once is decided or invalid, and harms nobody", async () => {
  for (let round = 0; round < 5; round++) {
    const calls = Array.from({ length: 24 }, async (_, i) =>
      i % 2 === 0
        ? await consume("five", `race-${round}-${i}`, { idempotencyKey: `race-${round}` })
        : await consume("five", `race-${round}-${i}`),
    );
    const answers = await Promise.all(calls);
    const codes = (parity: number) =>
      answers.filter((_, i) => i % 2 === parity).map(({ body }) => body["code"]);
    expect(codes(1)).toEqual(new Array(12).fill(undefined));
    const own = codes(0);
    expect(own.filter((code) => code === undefined)).toHaveLength(1);
    expect(own.filter((code) => code === "invalid_argument")).toHaveLength(11);
  }
});

test("Refund of parts of one receipt at once gives back one of them", async () => {
  const buckets = ["five", "places", "five"].map((policy, i) => ({
    ...{ policy, key: `parts-${i}` },
    ...(policy === "places" ? { leaseId: "parts", leaseTtl: "30s" } : {}),
  }));
  const receipt = receiptOf(await limiter.rpc("Consume", { buckets }));
  const answers = await Promise.all(
    ["five", "places", "five", "places"].map(
      async (policy) => await limiter.rpc("Refund", { receipt, policies: [policy] }),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(answers.filter((answer) => answer.body["refunded"] === true)).toHaveLength(1);
});

test("Consume of shadows alone is charged once for a key, and refuses another body", async () => {
  const once = { idempotencyKey: "shadow" };
  const first = await consume("shadow", "once", once);
  expect((await consume("shadow", "once", once)).body).toEqual(first.body);
  expect(await remaining("shadow", "once")).toBe("4");
  expect((await consume("shadow", "else", once)).body).toMatchObject({ code: "invalid_argument" });
  expect(await refund(first)).toEqual({ refunded: true });
  expect(await remaining("shadow", "once")).toBe("5");
  await consume("shadow", "once", once);
  expect(await remaining("shadow", "once")).toBe("4");
});

test("Consume of an enforced bucket and a shadow charges each once for a key", async () => {
  const request = {
    buckets: ["five", "shadow"].map((policy) => ({ policy, key: "both" })),
    idempotencyKey: "both",
  };
  const first = await limiter.rpc("Consume", request);
  expect((await limiter.rpc("Consume", request)).body).toEqual(first.body);
  expect([await remaining("five", "both"), await remaining("shadow", "both")]).toEqual(["4", "4"]);
});

test("Consume gives no receipt for what is off, nor for a shadow that rejects", async () => {
  expect(receiptOf(await consume("off", "a"))).toBe("");
  expect(receiptOf(await consume("shadow", "full", { cost: 5 }))).not.toBe("");
  const rejecting = await consume("shadow", "full");
  expect([outcomeOf(rejecting), receiptOf(rejecting)]).toEqual(["OUTCOME_ALLOWED", ""]);
});

test("Peek decides as Consume would for a lease that is held", async () => {
  await limiter.rpc("Acquire", { policy: "places", key: "peek", leaseId: "peek", ttl: "30s" });
  const peek = async (leaseId: string) =>
    outcomeOf(await limiter.rpc("Peek", { buckets: [{ policy: "places", key: "peek", leaseId }] }));
  expect(await peek("peek")).toBe("OUTCOME_ALLOWED");
  expect([await peek("other"), await peek("")]).toEqual(["OUTCOME_REJECTED", "OUTCOME_REJECTED"]);
});

test("a lease that a shadow would have rejected counts once, though it is renewed", async () => {
  const leaseIds = ["w0", "w1", "w2"];
  for (let round = 0; round < 4; round++) {
    const { body } = await limiter.rpc("Renew", { leaseIds, ttl: "30s" });
    for (const leaseId of listOf(body["lost"])) {
      await limiter.rpc("Acquire", { policy: "watched", key: "w", leaseId, ttl: "30s" });
    }
  }
  const scrape = await (await fetch(limiter.metricsUrl)).text();
  const ofWatched = scrape.split("\n").filter((line) => line.includes('policy="watched"'));
  const counts = ofWatched.map((line) => [
    /decision="(.*?)"/.exec(line)?.[1],
    line.split(" ").at(-1),
  ]);
  expect(Object.fromEntries(counts)).toMatchObject({ allow: "1", reject: "2" });
});

test("Reset of a key without charges resets nothing; every Reset is in the audit log for good", async () => {
  await consume("five", "audited");
  const reset = async (key: string) =>
    (await limiter.rpc("Reset", { policy: "five", key })).body["reset"];
  const before = await audits();
  expect([await reset("wrong"), await reset("audited"), await reset("audited")]).toEqual([
    false,
    true,
    false,
  ]);
  const entry = { caller: "operator", event: "bucket.reset", policy: "five" };
  expect((await audits()).slice(before.length)).toEqual([
    { ...entry, detail: { reset: false } },
    { ...entry, detail: { reset: true } },
    { ...entry, detail: { reset: false } },
  ]);
  for (const change of [
    "update limiter.audit_log set caller = 'nobody'",
    "delete from limiter.audit_log",
    "truncate limiter.audit_log",
  ]) {
    await expect(runSql(databaseUrl, change), change).rejects.toThrow("append-only");
  }
});

test("ConsumeBatch decides as many new buckets as it takes, and refuses one more", async () => {
  const request = (group: number, size = 16) => ({
    buckets: Array.from({ length: size }, (_, i) => ({ policy: "five", key: `new-${group}-${i}` })),
  });
  const full = Array.from({ length: 250 }, (_, group) => request(group));
  const refused = await limiter.rpc("ConsumeBatch", { requests: [...full, request(250, 1)] });
  expect(refused.body).toMatchObject({
    code: "invalid_argument",
    message: "requests: name more than 4000 buckets in all",
  });
  const { body } = await limiter.rpc("ConsumeBatch", { requests: full });
  const outcomes = resultsOf(body).map(({ decision }) => fieldsOf(decision)["outcome"]);
  expect(outcomes).toEqual(new Array(250).fill("OUTCOME_ALLOWED"));
});

async function audits() {
  return await runSql(
    databaseUrl,
    "select a.caller, a.event, a.policy, a.detail from limiter.audit_log a order by a.id",
  );
}

async function consume(
  policy: string,
  key: string,
  { cost = 1, ...rest }: { cost?: number; idempotencyKey?: string } = {},
): Promise<Answer> {
  return await limiter.rpc("Consume", { buckets: [{ policy, key, cost }], ...rest });
}

function fieldsOf(value: unknown) {
  return Object.fromEntries(Object.entries(value ?? {}));
}

function listOf(value: unknown) {
  return Array.isArray(value) ? value : [];
}

function resultsOf(body: Answer["body"]) {
  return listOf(body["results"]).map(fieldsOf);
}

function decisionOf({ body }: Answer) {
  return fieldsOf(body["decision"]);
}

function outcomeOf(answer: Answer) {
  return decisionOf(answer)["outcome"];
}

function receiptOf(answer: Answer) {
  return decisionOf(answer)["receipt"];
}

async function refund(answer: Answer) {
  return (await limiter.rpc("Refund", { receipt: receiptOf(answer) })).body;
}

async function remaining(policy: string, key: string) {
  const answer = await limiter.rpc("Peek", { buckets: [{ policy, key }] });
  return fieldsOf(listOf(decisionOf(answer)["buckets"])[0])["remaining"];
}
