import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import type { LimiterClient } from "../../../clients/limiter/limiter-client.ts";
import type { ClientIdentity } from "../../runtime/client-identity.ts";
import { peerKey } from "../../runtime/peer.ts";
import { limited } from "../refusal.ts";
import { unprovenBucket } from "./limits.ts";

/**
 * Limits, by address, how often a credential may be wrong: it is charged once it was refused, so
 * that right ones never wait, whatever others try behind the same address.
 */
export function createWrongCredentialsInterceptor(options: {
  limiter: LimiterClient;
  identify: ClientIdentity;
}): Interceptor {
  const { limiter, identify } = options;
  return (next) => async (request) => {
    try {
      return await next(request);
    } catch (error) {
      const isRefused = error instanceof ConnectError && error.code === Code.Unauthenticated;
      const isTry = METHODS.has(request.method.name) && request.header.has("authorization");
      if (!isRefused || !isTry) throw error;
      const client = identify(request.contextValues.get(peerKey));
      const verdict = await limiter.consume([unprovenBucket("credential.ip", client)]);
      // Without a decision it stays refused.
      if (verdict.kind !== "rejected") throw error;
      throw limited("too many wrong credentials; try again later", verdict.retryAfterMs);
    }
  };
}

/** Other methods look at no bearer, though clients may send theirs along. */
const METHODS = new Set(["MintToken", "MintTokens", "RevokeToken"]);
