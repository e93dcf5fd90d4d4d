import { randomUUID } from "node:crypto";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { LimiterClient } from "../../clients/limiter/verdict.ts";
import { type DatasourceService, Visibility } from "../../gen/portcullis/auth/v1/auth_pb.ts";
import { type Credentials, findCaller, readBearer } from "../runtime/caller.ts";
import type { ClientIdentity } from "../runtime/client-identity.ts";
import type { Clock } from "../runtime/clock.ts";
import { isDatasourceName } from "../runtime/datasource-name.ts";
import { peerKey } from "../runtime/peer.ts";
import type { Queryable } from "../runtime/postgres.ts";
import { type Principal, verifyAccessToken } from "./access-token.ts";
import type { Database } from "./database.ts";
import { putDatasource } from "./datasource-store.ts";
import { PUBLIC_SUBJECT, signDatasourceToken, verifyDatasourceToken } from "./datasource-token.ts";
import { mintBuckets, revokeBucket } from "./limits.ts";
import { findRevocableToken, recordMintedToken, revokeMintedToken } from "./minted-token-store.ts";
import { invalid, requireAllowed } from "./refusal.ts";
import { expiryOf, type TokenSigner } from "./signed-token.ts";
import { isUuid } from "./uuid.ts";

export type DatasourceServiceOptions = {
  /** For minting and revoking. */
  db: Database;
  /** For what operators do. */
  administrationDb: Database;
  limiter: LimiterClient;
  signer: TokenSigner;
  identify: ClientIdentity;
  /** Only the operator's. */
  credentials: Credentials;
  datasourceTokenTtlMs: number;
  clock: Clock;
};

/** Who makes a call: anybody, an account, or the operator. */
type Actor =
  | { kind: "anonymous" }
  | { kind: "account"; principal: Principal }
  | { kind: "operator" };

/** A moment at which no token has ended yet: revoking one that has is harmless. */
const BEFORE_ANY_END_MS = 0;

export function createDatasourceService(
  options: DatasourceServiceOptions,
): ServiceImpl<typeof DatasourceService> {
  const { db, administrationDb, limiter, signer, identify, credentials } = options;
  const { datasourceTokenTtlMs, clock } = options;

  /** A bearer that is not valid is refused, never taken for nobody. */
  const actorOf = async (headers: Headers): Promise<Actor> => {
    const authorization = headers.get("authorization");
    if (authorization === null) return { kind: "anonymous" };
    if (findCaller(authorization, credentials) !== undefined) return { kind: "operator" };
    const token = readBearer(authorization);
    const principal =
      token === undefined ? undefined : await verifyAccessToken(signer, token, clock.nowMs());
    if (principal === undefined) throw unauthenticated();
    return { kind: "account", principal };
  };

  const jtiOf = async (target: { case?: string | undefined; value?: string | undefined }) => {
    if (target.case === "jti") {
      if (!isUuid(target.value)) throw invalid("jti", "is not the id of a token");
      return target.value;
    }
    if (target.case !== "token") throw invalid("target", "is required: token or jti");
    const claims = await verifyDatasourceToken(signer, target.value ?? "", BEFORE_ANY_END_MS);
    if (claims === undefined) throw invalid("token", "is not a datasource token of this service");
    return claims.jti;
  };

  return {
    async mintToken(request, { requestHeader, values }) {
      const actor = await actorOf(requestHeader);
      // The operator reads no streams; an account does.
      if (actor.kind === "operator") throw unauthenticated();
      const principal = actor.kind === "account" ? actor.principal : undefined;
      const { datasource } = request;
      if (!isDatasourceName(datasource)) throw invalid("datasource", "is not a datasource name");
      const client = identify(values.get(peerKey));
      requireAllowed(await limiter.consume(mintBuckets(client, principal)), "minting");

      const nowMs = clock.nowMs();
      const jti = randomUUID();
      const expiresAtMs = expiryOf(nowMs, datasourceTokenTtlMs);
      const wanted = {
        ...{ jti, principal, datasource },
        ...{ now: new Date(nowMs), expiresAt: new Date(expiresAtMs) },
      };
      const minted = await db.run(
        principal?.accountId ?? client.ip,
        async (queryable) => await recordMintedToken(queryable, wanted),
        principal === undefined ? "stranger" : "known",
      );
      if (minted.kind === "signed-out") throw unauthenticated();
      if (minted.kind === "not-found") {
        // Nobody learns without signing in whether there is a private one of that name.
        if (principal === undefined) throw unauthenticated();
        throw new ConnectError("no such datasource", Code.NotFound);
      }
      const claims = {
        jti,
        subject: principal?.accountId ?? PUBLIC_SUBJECT,
        datasource,
        accessVersion: minted.accessVersion,
        loginSession: principal?.loginSession,
      };
      const token = await signDatasourceToken(signer, claims, nowMs, datasourceTokenTtlMs);
      return { token, expiresAt: timestampFromMs(expiresAtMs) };
    },

    async revokeToken(request, { requestHeader, values }) {
      const actor = await actorOf(requestHeader);
      if (actor.kind === "anonymous") throw unauthenticated();
      const principal = actor.kind === "account" ? actor.principal : undefined;
      if (principal !== undefined) {
        const bucket = revokeBucket(identify(values.get(peerKey)));
        requireAllowed(await limiter.consume([bucket]), "revoking");
      }
      const jti = await jtiOf(request.target);
      const run = async <T>(work: (queryable: Queryable) => Promise<T>) =>
        await db.run(principal?.accountId ?? "operator", work, "known");
      const now = new Date(clock.nowMs());
      const found = await run((queryable) => findRevocableToken(queryable, jti, principal, now));
      if (found.kind === "signed-out") throw unauthenticated();
      if (found.kind === "not-found") {
        // A signed token that is not remembered ended long ago.
        if (request.target.case === "token") return {};
        throw invalid("jti", "is not the id of a token that is still alive");
      }
      if (principal !== undefined && found.accountId !== principal.accountId) {
        throw new ConnectError("the token belongs to another account", Code.PermissionDenied);
      }
      const revokedBy = principal === undefined ? "operator" : "owner";
      await run((queryable) => revokeMintedToken(queryable, jti, revokedBy, now));
      return {};
    },

    async put(request, { requestHeader }) {
      const actor = await actorOf(requestHeader);
      if (actor.kind === "anonymous") throw unauthenticated();
      if (actor.kind !== "operator") {
        throw new ConnectError("only the operator may do this", Code.PermissionDenied);
      }
      if (!isDatasourceName(request.datasource)) {
        throw invalid("datasource", "is not a datasource name");
      }
      const change = {
        name: request.datasource,
        visibility: visibilityOf(request.visibility),
        revokesTokens: request.revokeTokens,
        now: new Date(clock.nowMs()),
      };
      const accessVersion = await administrationDb.run(
        "operator",
        async (queryable) => await putDatasource(queryable, change),
        "known",
      );
      return { accessVersion: BigInt(accessVersion) };
    },
  };
}

function visibilityOf(visibility: Visibility): "public" | "private" {
  if (visibility === Visibility.PUBLIC) return "public";
  if (visibility === Visibility.PRIVATE) return "private";
  throw invalid("visibility", "must be public or private");
}

function unauthenticated(): ConnectError {
  return new ConnectError("a valid access token is required", Code.Unauthenticated);
}
