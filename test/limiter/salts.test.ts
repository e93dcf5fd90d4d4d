import { expect, test } from "vitest";
import { createTestDatabase, runSql } from "../fixtures/postgres.ts";
import { startLimiter } from "./limiter-process.ts";

const POLICIES = { daily: { key: "text", algorithm: "token_bucket", limit: 5, period: "1d" } };
const CONSUME = { buckets: [{ policy: "daily", key: "a", cost: 5 }] };

test("a replica with another salt refuses to start", async () => {
  const { start } = await setup();
  await (await start("old")).stop();
  await expect(start("other")).rejects.toThrow("SECURITY_LIMITER_HASH_SALT is not the one");
});

test("salts change without a fresh limit for anybody, and only in three steps", async () => {
  const { start, age } = await setup();
  const before = await start("old");
  expect(await outcomeOf(before)).toBe("OUTCOME_ALLOWED");
  await before.stop();

  const between = await start("new,old");
  expect(await outcomeOf(between)).toBe("OUTCOME_REJECTED");
  await between.stop();
  await expect(start("new")).rejects.toThrow("leaves out an older salt whose buckets still count");

  await age("2 days");
  await (await start("new")).stop();
  await expect(start("old")).rejects.toThrow("leaves out a newer salt");
});

async function outcomeOf(limiter: Awaited<ReturnType<typeof startLimiter>>): Promise<string> {
  const { body } = await limiter.rpc("Consume", CONSUME);
  return (body["decision"] as { outcome: string }).outcome;
}

async function setup() {
  const databaseUrl = await createTestDatabase("salts");
  return {
    start: async (salts: string) =>
      await startLimiter({
        databaseUrl,
        policies: POLICIES,
        environment: { SECURITY_LIMITER_HASH_SALT: salts },
      }),
    /** Lets the time that salts have been in use pass. */
    age: async (interval: string) =>
      await runSql(
        databaseUrl,
        `update limiter.salts set first_used_at = first_used_at - interval '${interval}'`,
      ),
  };
}
