import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { LimiterClient } from "../../../clients/limiter/limiter-client.ts";
import { type DatasourceService, Visibility } from "../../../gen/portcullis/auth/v1/auth_pb.ts";
import { type Credentials, findCaller, readBearer } from "../../runtime/caller.ts";
import type { ClientIdentity } from "../../runtime/client-identity.ts";
import type { Clock } from "../../runtime/clock.ts";
import { codeText } from "../../runtime/code-text.ts";
import { isDatasourceName } from "../../runtime/datasource-name.ts";
import { type Peer, peerKey } from "../../runtime/peer.ts";
import type { Queryable } from "../../runtime/postgres.ts";
import { revokeBucket } from "../login/limits.ts";
import { invalid, requireAllowed } from "../refusal.ts";
import type { Database } from "../store/database.ts";
import { putDatasource } from "../store/datasource-store.ts";
import { findRevocableToken, revokeMintedToken } from "../store/minted-token-store.ts";
import { type Principal, verifyAccessToken } from "../tokens/access-token.ts";
import { verifyDatasourceToken } from "../tokens/datasource-token.ts";
import type { TokenSigner } from "../tokens/signed-token.ts";
import { isUuid } from "../tokens/uuid.ts";
import { type MintOutcome, mintTokens } from "./mint-tokens.ts";

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

/** A page opens as many streams as a session has; some may have names of their own beside them. */
export const MINTS_MAX = 64;

const BAD_NAME = "is not a datasource name";
const NOT_FOUND = "no such datasource";
const SIGN_IN_FIRST = "a valid access token is required";

/** A moment at which no token has ended yet: revoking one that has is harmless. */
const BEFORE_ANY_END_MS = 0;

export function createDatasourceService(
  options: DatasourceServiceOptions,
): ServiceImpl<typeof DatasourceService> {
  const { db, administrationDb, limiter, signer, identify, credentials } = options;
  const { clock } = options;

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

  /** Mints on behalf of whoever calls. */
  const minterOf = async (headers: Headers, peer: Peer) => {
    const actor = await actorOf(headers);
    // The operator reads no streams; an account does.
    if (actor.kind === "operator") throw unauthenticated();
    const principal = actor.kind === "account" ? actor.principal : undefined;
    const client = identify(peer);
    return async (datasources: readonly string[]) => {
      const outcomes = await mintTokens(options, { client, principal, datasources });
      if (outcomes === "signed-out") throw unauthenticated();
      return outcomes;
    };
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
      const { datasource } = request;
      const mint = await minterOf(requestHeader, values.get(peerKey));
      if (!isDatasourceName(datasource)) throw invalid("datasource", BAD_NAME);
      const [outcome] = await mint([datasource]);
      switch (outcome?.kind) {
        case "minted":
          return { token: outcome.token, expiresAt: timestampFromMs(outcome.expiresAtMs) };
        case "not-found":
          throw new ConnectError(NOT_FOUND, Code.NotFound);
        default:
          throw unauthenticated();
      }
    },

    async mintTokens({ datasources }, { requestHeader, values }) {
      const mint = await minterOf(requestHeader, values.get(peerKey));
      if (datasources.length === 0 || datasources.length > MINTS_MAX) {
        throw invalid("datasources", `must be 1 to ${MINTS_MAX} names`);
      }
      const outcomes = await mint(datasources);
      const results = outcomes.map((outcome, index) =>
        resultOf(datasources[index] ?? "", index, outcome),
      );
      return { results };
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
        throw invalid("datasource", BAD_NAME);
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

/** What became of one datasource of several. */
function resultOf(datasource: string, index: number, outcome: MintOutcome) {
  switch (outcome.kind) {
    case "minted": {
      const { token, expiresAtMs } = outcome;
      return { datasource, token, expiresAt: timestampFromMs(expiresAtMs) };
    }
    case "bad-name": {
      const message = `datasources[${index}]: ${BAD_NAME}`;
      return { datasource, error: { code: codeText(Code.InvalidArgument), message } };
    }
    case "sign-in-first":
      return {
        datasource,
        error: { code: codeText(Code.Unauthenticated), message: SIGN_IN_FIRST },
      };
    case "not-found":
      return { datasource, error: { code: codeText(Code.NotFound), message: NOT_FOUND } };
  }
}

function unauthenticated(): ConnectError {
  return new ConnectError(SIGN_IN_FIRST, Code.Unauthenticated);
}
