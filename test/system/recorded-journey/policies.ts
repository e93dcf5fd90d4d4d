import { policiesTextWith } from "../../fixtures/policies.ts";

/** So slow that nothing refills while the journey runs. */
const SLOWLY = "24h";

/** One policy of each algorithm, and the built-in ones of the gateway without a quick refill. */
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
