import { pino } from "pino";
import {
  createLimiterClient,
  type LimiterClientOptions,
} from "../../clients/limiter/create-limiter-client.ts";
import type { LimiterClient } from "../../clients/limiter/limiter-client.ts";
import { loadStandIn } from "../../clients/limiter/stand-in.ts";
import { systemClock } from "../../services/runtime/clock.ts";
import { Secret } from "../../services/runtime/secret.ts";
import { TOKENS } from "../fixtures/services.ts";

/** Policies of several classes of work, none of which is ever used up. */
export const POLICIES = {
  "login.ip": plenty(),
  // Refills so slowly that a test can tell a refund from a refill.
  "mint.user": { key: "text", algorithm: "token_bucket", limit: 1_000, period: "1d" },
  "revocations.caller": plenty(),
};

function plenty() {
  return { key: "text", algorithm: "token_bucket", limit: 1_000_000, period: "1h" };
}

/** A client as auth has one, with the operator's token. */
export async function createTestClient(
  url: string,
  options: Partial<LimiterClientOptions> = {},
): Promise<LimiterClient> {
  return createLimiterClient({
    url,
    token: new Secret(TOKENS.operator),
    surface: "api",
    policies: Object.keys(POLICIES),
    failure: { mode: "fail-closed" },
    standIn: await loadStandIn({ ipv6PrefixBits: 64 }),
    timeoutMs: 500,
    log: pino({ level: "silent" }),
    clock: systemClock,
    ...options,
  });
}
