import type { LimiterClient } from "../../../clients/limiter/limiter-client.ts";
import type { Clock } from "../../runtime/clock.ts";
import { callerBucket } from "../login/limits.ts";
import type { Database } from "../store/database.ts";
import type { TokenSigner } from "../tokens/signed-token.ts";
import { forwardConsume } from "./forward-consume.ts";
import {
  badField,
  type InternalCall,
  type InternalHandler,
  type JsonAnswer,
  limited,
  unavailable,
} from "./internal-route.ts";
import {
  DATASOURCES_MAX,
  introspectDatasource,
  introspectDatasources,
  introspectToken,
} from "./introspect.ts";
import { EVENTS_MAX, readRevocationPage } from "./revocation-page.ts";

export type GatewayRoutesOptions = {
  introspectionDb: Database;
  revocationsDb: Database;
  /** Auth's own. */
  limiter: LimiterClient;
  /** Speaks to the limiter as the gateway. */
  gatewayLimiter: LimiterClient;
  signer: TokenSigner;
  clock: Clock;
};

/** As many events as a poller gets that does not say. */
const EVENTS_DEFAULT = 100;

/** The three endpoints that the gateway relies on. */
export function createGatewayHandlers(
  options: GatewayRoutesOptions,
): Readonly<Record<string, InternalHandler>> {
  const { introspectionDb, revocationsDb, limiter, gatewayLimiter } = options;
  const introspection = { ...options, db: introspectionDb };

  /** Spends the caller's limit; an answer is a refusal. */
  const spend = async (
    policy: "introspect.caller" | "revocations.caller",
    { caller, client }: InternalCall,
    cost = 1,
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
      const { sessionToken, datasource, datasources, intent = "stream" } = call.body;
      if (datasources !== undefined && sessionToken === undefined) {
        if (!isListOfNames(datasources)) {
          return badField("datasources", `must hold 1 to ${DATASOURCES_MAX} texts`);
        }
        if (intent !== "stream" && intent !== "publish") {
          return badField("intent", "must be stream or publish");
        }
        const refusal = await spend("introspect.caller", call, datasources.length);
        if (refusal !== undefined) return refusal;
        const instance = instanceOf(call);
        const results = await introspectDatasources(introspectionDb, instance, datasources, intent);
        return { status: 200, body: { results } };
      }
      if (datasource !== undefined && sessionToken === undefined) {
        if (typeof datasource !== "string") return badField("datasource", "must be a text");
        const refusal = await spend("introspect.caller", call);
        if (refusal !== undefined) return refusal;
        const body = await introspectDatasource(introspectionDb, instanceOf(call), datasource);
        return { status: 200, body };
      }
      if (typeof sessionToken !== "string" || sessionToken === "") {
        return badField("sessionToken", "must be a token");
      }
      const refusal = await spend("introspect.caller", call);
      if (refusal !== undefined) return refusal;
      const body = await introspectToken(introspection, instanceOf(call), sessionToken);
      return { status: 200, body };
    },

    "/internal/gateway/revoked-tokens": async (call) => {
      const { sinceCursor = null, limit = EVENTS_DEFAULT } = call.body;
      if (sinceCursor !== null && typeof sinceCursor !== "string") {
        return badField("sinceCursor", "must be null or a cursor");
      }
      if (!isWholeNumber(limit) || limit < 1 || limit > EVENTS_MAX) {
        return badField("limit", `must be a whole number from 1 to ${EVENTS_MAX}`);
      }
      const refusal = await spend("revocations.caller", call);
      if (refusal !== undefined) return refusal;
      const body = await revocationsDb.run(
        instanceOf(call),
        async (db) => await readRevocationPage(db, sinceCursor, limit),
      );
      return { status: 200, body };
    },

    "/internal/gateway/rate-limit/consume": (call) => forwardConsume(gatewayLimiter, call.body),
  };
}

/** Which instance of a service calls: they take turns with each other. */
function instanceOf({ caller, client }: InternalCall): string {
  return `${caller} ${client.ip}`;
}

function isListOfNames(value: unknown): value is readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > DATASOURCES_MAX) return false;
  return value.every((name) => typeof name === "string");
}

function isWholeNumber(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
