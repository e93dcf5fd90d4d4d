import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase } from "../fixtures/postgres.ts";
import { type LimiterProcess, startLimiter } from "./limiter-process.ts";

/** Refills one token in 100 ms. */
const POLICIES = {
  bucket: { key: "text", algorithm: "token_bucket", limit: 10, period: "1s", burst: 50 },
  window: { key: "text", algorithm: "fixed_window", limit: 50, period: "day" },
};
const SKEWS_MS = [-5_000, 0, 5_000];

let replicas: readonly LimiterProcess[];

beforeAll(async () => {
  const databaseUrl = await createTestDatabase("clocks");
  const preload = new URL("../../dist/test/limiter/skewed-clock.js", import.meta.url).href;
  replicas = await Promise.all(
    SKEWS_MS.map(
      async (skewMs) =>
        await startLimiter({
          databaseUrl,
          policies: POLICIES,
          environment: {
            NODE_OPTIONS: `--import=${preload}`,
            CLOCK_SKEW_MS: String(skewMs),
            LIMITER_DECISION_TIMEOUT_MS: "5000",
          },
        }),
    ),
  );
});

afterAll(async () => {
  await Promise.all(replicas.map(async (replica) => await replica.stop()));
});

test.each(["bucket", "window"])(
  "replicas whose clocks are five seconds apart admit together what one would: %s",
  async (policy) => {
    const startedAtMs = performance.now();
    let admitted = 0;
    for (let round = 0; round < 40; round++) {
      const answers = await Promise.all(
        replicas.map(async (replica) => {
          const request = { buckets: [{ policy, key: "shared", cost: 3 }] };
          return await replica.rpc("Consume", request);
        }),
      );
      for (const { body } of answers) {
        const { outcome } = body["decision"] as { outcome: string };
        admitted += outcome === "OUTCOME_ALLOWED" ? 3 : 0;
      }
    }
    const refilled = policy === "bucket" ? (performance.now() - startedAtMs) / 100 : 0;
    expect(admitted).toBeGreaterThanOrEqual(48);
    expect(admitted).toBeLessThanOrEqual(50 + refilled);
  },
);
