import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { LimiterClient } from "../../../clients/limiter/limiter-client.ts";
import type { DatasourceService } from "../../../gen/portcullis/auth/v1/auth_pb.ts";
import type { ClientIdentity } from "../../runtime/client-identity.ts";
import type { Clock } from "../../runtime/clock.ts";
import { peerKey } from "../../runtime/peer.ts";
import type { Queryable } from "../../runtime/postgres.ts";
import { revokeBucket } from "../login/limits.ts";
import { invalid, requireAllowed } from "../refusal.ts";
import type { Database } from "../store/database.ts";
import { findRevocableToken, revokeMintedToken } from "../store/minted-token-store.ts";
import { verifyDatasourceToken } from "../tokens/datasource-token.ts";
import type { TokenSigner } from "../tokens/signed-token.ts";
import { actorKey, unauthenticated } from "./actor.ts";

export type RevokeTokenOptions = {
  db: Database;
  limiter: LimiterClient;
  signer: TokenSigner;
  identify: ClientIdentity;
  clock: Clock;
};

/** A moment at which no token has ended yet: revoking one that has is harmless. */
const BEFORE_ANY_END_MS = 0;

/** RevokeToken: for the owner of the token and for the operator. */
export function createRevokeToken(
  options: RevokeTokenOptions,
): ServiceImpl<typeof DatasourceService>["revokeToken"] {
  const { db, limiter, signer, identify, clock } = options;

  const jtiOfToken = async (token: string) => {
    const claims = await verifyDatasourceToken(signer, token, BEFORE_ANY_END_MS);
    if (claims === undefined) throw invalid("token", "is not a datasource token of this service");
    return claims.jti;
  };

  return async ({ target }, { values }) => {
    const actor = values.get(actorKey);
    if (actor.kind === "anonymous") throw unauthenticated();
    const principal = actor.kind === "account" ? actor.principal : undefined;
    if (principal !== undefined) {
      const bucket = revokeBucket(identify(values.get(peerKey)));
      requireAllowed(await limiter.consume([bucket]), "revoking");
    }
    const jti = target.case === "jti" ? target.value : await jtiOfToken(target.value ?? "");
    const run = async <T>(work: (queryable: Queryable) => Promise<T>) =>
      await db.run(principal?.accountId ?? "operator", work, "known");
    const now = new Date(clock.nowMs());
    const found = await run((queryable) => findRevocableToken(queryable, jti, principal, now));
    if (found.kind === "signed-out") throw unauthenticated();
    if (found.kind === "not-found") {
      // A signed token that is not remembered ended long ago.
      if (target.case === "token") return {};
      throw invalid("jti", "is not the id of a token that is still alive");
    }
    if (principal !== undefined && found.accountId !== principal.accountId) {
      throw new ConnectError("the token belongs to another account", Code.PermissionDenied);
    }
    const revokedBy = principal === undefined ? "operator" : "owner";
    await run((queryable) => revokeMintedToken(queryable, jti, revokedBy, now));
    return {};
  };
}
