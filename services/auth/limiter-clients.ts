import {
  createLimiterClient,
  type LimiterClientOptions,
} from "../../clients/limiter/create-limiter-client.ts";
import type { LimiterClient } from "../../clients/limiter/limiter-client.ts";
import { Secret } from "../runtime/secret.ts";
import type { Config } from "./config.ts";
import { API_POLICIES, REALTIME_POLICIES } from "./login/limits.ts";

/** The client with auth's own token, and the one that consumes for the gateway with the gateway's. */
export function createLimiterClients(
  config: Config,
  context: Pick<LimiterClientOptions, "log" | "clock" | "standIn" | "onFailureModeChange">,
): { limiter: LimiterClient; gatewayLimiter: LimiterClient } {
  const shared = { ...config.limiter, ...context };
  const limiter = createLimiterClient({
    ...shared,
    token: config.authTokens[0] ?? new Secret(""),
    surface: "api",
    policies: API_POLICIES,
    failure: config.security,
  });
  const gatewayLimiter = createLimiterClient({
    ...shared,
    token: config.gatewayTokens[0] ?? new Secret(""),
    surface: "realtime",
    policies: REALTIME_POLICIES,
    failure: config.forwarded,
  });
  return { limiter, gatewayLimiter };
}
