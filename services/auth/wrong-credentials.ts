import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import type { LimiterClient } from "../../clients/limiter/verdict.ts";
import { readBearer } from "../runtime/caller.ts";
import type { ClientIdentity } from "../runtime/client-identity.ts";
import { peerKey } from "../runtime/peer.ts";
import { unprovenBucket } from "./limits.ts";
import { limited } from "./refusal.ts";

/** Three parts of base64url: an access token, or noise that looks like one. */
const SIGNED_TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;

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
      const authorization = request.header.get("authorization");
      const isRefused = error instanceof ConnectError && error.code === Code.Unauthenticated;
      if (!isRefused || authorization === null) throw error;
      const policy = policyOf(request.method.name, readBearer(authorization) ?? "");
      if (policy === undefined) throw error;
      const client = identify(request.contextValues.get(peerKey));
      const verdict = await limiter.consume([unprovenBucket(policy, client)]);
      // Without a decision it stays refused.
      if (verdict.kind !== "rejected") throw error;
      throw limited("too many wrong credentials; try again later", verdict.retryAfterMs);
    }
  };
}

/**
 * What could be no access token is a try of the operator's. Other methods look at no bearer, though
 * clients may send theirs along.
 */
function policyOf(method: string, token: string) {
  if (method === "MintToken") return "mint.public.ip";
  if (method !== "RevokeToken") return undefined;
  return SIGNED_TOKEN.test(token) ? "revoke.ip" : "operator.ip";
}
