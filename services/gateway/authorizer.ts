import type { JWTVerifyGetKey } from "jose";
import type { Bucket, LimiterClient, Verdict } from "../../clients/limiter/verdict.ts";
import type { ClientIp } from "../runtime/client-ip.ts";
import type { Clock } from "../runtime/clock.ts";
import type { AuthClient } from "./auth-client.ts";
import {
  type Authorization,
  type AuthorizationRequest,
  type Authorize,
  refused,
} from "./authorization.ts";
import { STREAM_SCOPE, type TokenClaims, verifyDatasourceToken } from "./datasource-token.ts";
import { PUBLIC_SUBJECT } from "./grant.ts";
import { PUBLIC_SUBSCRIBE_BY_DATASOURCE, PUBLIC_SUBSCRIBE_BY_IP } from "./policies.ts";
import type { PublicView, PublicViews } from "./public-views.ts";
import { type Refusal, unavailable } from "./refusal.ts";
import type { RevocationMemory } from "./revocation-memory.ts";

export type AuthorizerOptions = {
  limiter: LimiterClient;
  auth: AuthClient;
  keys: JWTVerifyGetKey;
  views: PublicViews;
  revocations: RevocationMemory;
  clock: Clock;
};

/** Unknown, private and badly signed look the same, so that nobody learns what exists. */
const NEEDS_TOKEN: Refusal = {
  code: "unauthenticated",
  message: "a valid token for this datasource is required",
};
const EXPIRED: Refusal = { code: "unauthenticated", message: "the token has expired" };
const WRONG_DATASOURCE: Refusal = {
  code: "permission_denied",
  message: "the token is for another datasource",
};

/**
 * Decides about subscribes: without a token for public datasources, within the public limits; with
 * one after verifying it here and asking auth whether it still counts. Whenever a party to the
 * decision cannot be reached, the answer is `unavailable`.
 */
export function createAuthorizer(options: AuthorizerOptions): Authorize {
  return (request) =>
    request.token === ""
      ? authorizePublic(options, request)
      : authorizeToken(options, request, request.token);
}

async function authorizePublic(
  { views, limiter }: AuthorizerOptions,
  { client, datasource }: AuthorizationRequest,
): Promise<Authorization> {
  const known = views.recall(datasource);
  if (known !== undefined) {
    const refusal = refusalOf(
      await limiter.consume([byIp(client), byDatasource(datasource, known.accessVersion)]),
    );
    return refusal === undefined ? granted(datasource, known) : refused(refusal);
  }
  // Guessing names costs as much as subscribing, and auth is asked only within that limit.
  const first = await limiter.consume([byIp(client)]);
  if (first.kind !== "allowed") return refused(refusalOf(first) ?? unavailable());
  // What ends otherwise than by the client's own doing costs it nothing. Nobody waits for that.
  const giveBack = (refusal: Refusal) => {
    void limiter.refund(first.receipt);
    return refused(refusal);
  };
  const view = await views.find(datasource);
  if (view.kind === "unreachable") return giveBack(unavailable());
  if (view.kind === "not-public") return refused(NEEDS_TOKEN);
  const refusal = refusalOf(await limiter.consume([byDatasource(datasource, view.accessVersion)]));
  return refusal === undefined ? granted(datasource, view) : giveBack(refusal);
}

function granted(datasource: string, { accessVersion, heardUntil }: PublicView): Authorization {
  const grant = { datasource, subject: PUBLIC_SUBJECT, accessVersion, heardUntil };
  return { kind: "granted", grant };
}

async function authorizeToken(
  options: AuthorizerOptions,
  { client, datasource, purpose }: AuthorizationRequest,
  text: string,
): Promise<Authorization> {
  const { auth, keys, limiter, revocations, clock } = options;
  const heardUntil = revocations.heard;
  const verdict = await verifyDatasourceToken(text, keys, clock.nowMs());
  if (verdict.kind === "no-keys") return refused(unavailable());
  if (verdict.kind === "expired") return refused(EXPIRED);
  if (verdict.kind === "invalid") return refused(NEEDS_TOKEN);
  const { claims } = verdict;
  if (claims.datasource !== datasource) return refused(WRONG_DATASOURCE);
  if (claims.subject === PUBLIC_SUBJECT && purpose === "subscribe") {
    const buckets = [byIp(client), byDatasource(datasource, claims.accessVersion)];
    const refusal = refusalOf(await limiter.consume(buckets));
    if (refusal !== undefined) return refused(refusal);
  }
  const answer = await auth.introspectToken(text);
  if (answer.kind === "unreachable") return refused(unavailable());
  if (answer.kind === "inactive" || answer.scope !== STREAM_SCOPE) return refused(NEEDS_TOKEN);
  if (answer.datasource !== datasource || answer.subject !== claims.subject) {
    return refused(NEEDS_TOKEN);
  }
  return { kind: "granted", grant: grantOf(claims, text, heardUntil) };
}

function grantOf(claims: TokenClaims, text: string, heardUntil: number) {
  const { datasource, subject, accessVersion, ...token } = claims;
  return { datasource, subject, accessVersion, heardUntil, token: { ...token, text } };
}

function byIp(client: ClientIp): Bucket {
  const doubtful = client.warning !== undefined;
  return { policy: PUBLIC_SUBSCRIBE_BY_IP, key: client.ip, doubtful };
}

function byDatasource(datasource: string, accessVersion: number): Bucket {
  return { policy: PUBLIC_SUBSCRIBE_BY_DATASOURCE, key: `${datasource}:${accessVersion}` };
}

/** What stands against a subscribe; undefined when it may go on. */
function refusalOf(verdict: Verdict): Refusal | undefined {
  switch (verdict.kind) {
    case "allowed":
      return undefined;
    case "rejected":
      return {
        code: "rate_limited",
        message: "too many subscribes",
        retryAfterMs: verdict.retryAfterMs,
      };
    case "no-decision":
      return unavailable(verdict.retryAfterMs);
  }
}
