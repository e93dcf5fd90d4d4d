import { policiesTextWith } from "../../fixtures/policies.ts";

/** A period so long that nothing refills during the journey. */
const SLOWLY = "24h";

/** One policy of each algorithm, and built-in policies with a slower refill. */
export async function journeyPolicies(): Promise<string> {
  return await policiesTextWith({
    "journey.bucket": { key: "text", algorithm: "token_bucket", limit: 5, period: SLOWLY },
    "journey.blocking": {
      key: "address",
      algorithm: "token_bucket",
      limit: 2,
      period: SLOWLY,
      block_for: "1h",
      wider: { prefix: 48, limit: 100 },
    },
    "journey.sliding": { key: "text", algorithm: "sliding_window", limit: 3, period: SLOWLY },
    "journey.fixed": { key: "text", algorithm: "fixed_window", limit: 3, period: SLOWLY },
    "journey.leases": { key: "text", algorithm: "concurrency", limit: 2 },
    "journey.shadow": {
      key: "text",
      algorithm: "token_bucket",
      limit: 1,
      period: SLOWLY,
      mode: "shadow",
    },
    "realtime.connect.ip": { key: "address", algorithm: "token_bucket", limit: 60, period: SLOWLY },
    "realtime.subscribe.public.ip": {
      key: "address",
      algorithm: "token_bucket",
      limit: 60,
      period: SLOWLY,
    },
    "mint.public.ip": { key: "address", algorithm: "token_bucket", limit: 60, period: SLOWLY },
  });
}
