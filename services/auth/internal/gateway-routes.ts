import type { LimiterClient } from "../../../clients/limiter/limiter-client.ts";
import { RevocationPageSchema } from "../../../gen/portcullis/auth/v1/gateway_pb.ts";
import type { Clock } from "../../runtime/clock.ts";
import { callerBucket } from "../login/limits.ts";
import type { Database } from "../store/database.ts";
import type { TokenSigner } from "../tokens/signed-token.ts";
import { forwardConsume } from "./forward-consume.ts";
import { type InternalCall, type InternalHandler, instanceOf } from "./internal-route.ts";
import { answerIntrospection } from "./introspect-route.ts";
import { answerWith, type JsonAnswer, limited, unavailable } from "./json-answer.ts";
import { readPageRequest, readRevocationPage } from "./revocation-page.ts";

export type GatewayRoutesOptions = {
  introspectionDb: Database;
  revocationsDb: Database;
  /** Auth's own. */
  limiter: LimiterClient;
  /** Calls the limiter with the gateway's token. */
  gatewayLimiter: LimiterClient;
  signer: TokenSigner;
  clock: Clock;
};

/** The three endpoints that the gateway relies on. */
export function createGatewayHandlers(
  options: GatewayRoutesOptions,
): Readonly<Record<string, InternalHandler>> {
  const { introspectionDb, revocationsDb, limiter, gatewayLimiter } = options;
  const introspection = { ...options, db: introspectionDb };

  /** Charges the caller; an answer is a refusal. */
  const spend = async (
    policy: "introspect.caller" | "revocations.caller",
    { caller, client }: InternalCall,
    cost: number,
  ): Promise<JsonAnswer | undefined> => {
    const bucket = { ...callerBucket(policy, caller, client), cost };
    const verdict = await limiter.consume([bucket]);
    if (verdict.kind === "rejected") return limited(verdict.retryAfterMs);
    if (verdict.kind === "no-decision") {
      return unavailable("no limiter decision", verdict.retryAfterMs);
    }
    return undefined;
  };

  return {
    "/internal/gateway/datasource-introspect": async (call) => {
      const spendHere = async (cost: number) => await spend("introspect.caller", call, cost);
      return await answerIntrospection(introspection, call, spendHere);
    },

    "/internal/gateway/revoked-tokens": async (call) => {
      const request = readPageRequest(call.body);
      if (request.kind === "bad") return request.answer;
      const refusal = await spend("revocations.caller", call, 1);
      if (refusal !== undefined) return refusal;
      const page = await revocationsDb.run(
        instanceOf(call),
        async (db) => await readRevocationPage(db, request),
      );
      return answerWith(RevocationPageSchema, page);
    },

    "/internal/gateway/rate-limit/consume": (call) => forwardConsume(gatewayLimiter, call.body),
  };
}
