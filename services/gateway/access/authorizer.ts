import type { JWTVerifyGetKey } from "jose";
import type { BucketRequest } from "../../../clients/limiter/bucket-request.ts";
import type { LimiterClient } from "../../../clients/limiter/limiter-client.ts";
import type { ClientIp } from "../../runtime/client-ip.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { RealtimeEvents } from "../events.ts";
import { shareKeys } from "./address-shares.ts";
import type { AuthClient } from "./auth-client.ts";
import {
  type Authorization,
  type AuthorizationRequest,
  type Authorize,
  refused,
} from "./authorization.ts";
import { authorizePublic, NEEDS_TOKEN } from "./authorize-public.ts";
import {
  claimsPublic,
  STREAM_SCOPE,
  type TokenClaims,
  verifyDatasourceToken,
} from "./datasource-token.ts";
import { FairTurns } from "./fair-turns.ts";
import { FRAME_POLICIES } from "./frame-policies.ts";
import { PUBLIC_SUBJECT } from "./grant.ts";
import { PUBLIC_SUBSCRIBE_BY_DATASOURCE } from "./policies.ts";
import type { PublicTokens, TokenAnswer } from "./public-tokens.ts";
import type { PublicViews } from "./public-views.ts";
import { type Refusal, refusalOf, unavailable } from "./refusal.ts";
import type { RevocationMemory } from "./revocation-memory.ts";
import { byDatasource, byIp } from "./subscribe-buckets.ts";

export type AuthorizerOptions = {
  limiter: LimiterClient;
  auth: AuthClient;
  keys: JWTVerifyGetKey;
  views: PublicViews;
  publicTokens: PublicTokens;
  revocations: RevocationMemory;
  /** The queues in which tokens wait for their check. */
  turns: CheckTurns;
  events: Pick<RealtimeEvents, "shed">;
  clock: Clock;
};

/** Checks in flight: just enough to fill a flush of the limiter. */
const CHECKS_AT_ONCE = 32;
/** Of those, the part of one address. */
const CHECKS_AT_ONCE_PER_ADDRESS = 8;
/** Far more than are checked within the wait. */
const CHECKS_WAITING_MAX = 4_000;
/** Of one address: all datasources of a page, and some pages. */
const CHECKS_WAITING_PER_ADDRESS = 200;
const CHECK_WAIT_MS = 500;

/** Tokens of accounts do not wait behind public ones, which anybody can have. */
type CheckTurns = Readonly<Record<"public" | "account", FairTurns>>;

/** A check costs a signature and a decision of the limiter, so addresses take turns. */
export function createCheckTurns(): CheckTurns {
  const bounds = {
    atOnce: CHECKS_AT_ONCE,
    atOncePerKey: CHECKS_AT_ONCE_PER_ADDRESS,
    waiting: CHECKS_WAITING_MAX,
    waitingPerKey: CHECKS_WAITING_PER_ADDRESS,
    waitMs: CHECK_WAIT_MS,
  };
  return { public: new FairTurns(bounds), account: new FairTurns(bounds) };
}

const EXPIRED: Refusal = { code: "unauthenticated", message: "the token has expired" };
const WRONG_DATASOURCE: Refusal = {
  code: "permission_denied",
  message: "the token is for another datasource",
};

/**
 * Decides about subscribes and refreshes. Without a token, only public datasources are granted,
 * within the public limits. A token is verified here, then auth is asked whether it is still valid.
 * The answer is `unavailable` when auth, its keys or the limiter cannot be reached.
 */
export function createAuthorizer(options: AuthorizerOptions): Authorize {
  return async (requests) => {
    const withoutToken = requests.filter(({ token }) => token === "");
    const opened = authorizePublic(options, withoutToken);
    return await Promise.all(
      requests.map(async (request): Promise<Authorization> => {
        if (request.token !== "") return await authorizeToken(options, request, request.token);
        return (await opened)[withoutToken.indexOf(request)] ?? refused(unavailable());
      }),
    );
  };
}

async function authorizeToken(
  options: AuthorizerOptions,
  request: AuthorizationRequest,
  text: string,
): Promise<Authorization> {
  const { client, datasource } = request;
  const check = () => checkToken(options, request, text);
  const turns = options.turns[claimsPublic(text) ? "public" : "account"];
  const checked = await turns.run(shareKeys(client.ip).own, check);
  if (checked === undefined) {
    options.events.shed("token_check");
    return refused(unavailable());
  }
  if (checked.kind === "refused") return checked;
  const { claims } = checked;
  const { answer, heardUntil } = await introspect(options, client, claims, text);
  if (answer.kind === "unreachable") return refused(unavailable());
  if (answer.kind === "inactive" || answer.scope !== STREAM_SCOPE) return refused(NEEDS_TOKEN);
  if (answer.datasource !== datasource || answer.subject !== claims.subject) {
    return refused(NEEDS_TOKEN);
  }
  return { kind: "granted", grant: grantOf(claims, text, heardUntil) };
}

/** Asks auth in the token's crowd. All requests of one account share its turns. */
async function introspect(
  { auth, publicTokens, revocations }: AuthorizerOptions,
  client: ClientIp,
  { subject }: TokenClaims,
  text: string,
): Promise<TokenAnswer> {
  if (subject === PUBLIC_SUBJECT) {
    return await publicTokens.introspect(text, shareKeys(client.ip).own);
  }
  const heardUntil = revocations.heard;
  const answer = await auth.introspectToken(text, { crowd: "account", key: subject });
  return { answer, heardUntil };
}

/** Verifies and charges a token before auth is asked; the cheapest refusals come first. */
async function checkToken(
  { keys, clock, limiter }: AuthorizerOptions,
  request: AuthorizationRequest,
  text: string,
): Promise<{ kind: "charged"; claims: TokenClaims } | (Authorization & { kind: "refused" })> {
  const verdict = await verifyDatasourceToken(text, keys, clock.nowMs());
  if (verdict.kind === "no-keys") return refused(unavailable());
  if (verdict.kind === "expired") return refused(EXPIRED);
  if (verdict.kind === "invalid") return refused(NEEDS_TOKEN);
  const { claims } = verdict;
  if (claims.datasource !== request.datasource) return refused(WRONG_DATASOURCE);
  const refusal = refusalOf(await limiter.consume(tokenBuckets(request, claims)));
  return refusal === undefined ? { kind: "charged", claims } : refused(refusal);
}

/** The buckets that are charged before auth is asked about a token. */
function tokenBuckets(
  { client, datasource, purpose }: AuthorizationRequest,
  { subject, accessVersion }: TokenClaims,
): BucketRequest[] {
  const { publicToken, accountToken } = FRAME_POLICIES[purpose].limits;
  const policies = subject === PUBLIC_SUBJECT ? publicToken : accountToken;
  return policies.map((policy) =>
    policy === PUBLIC_SUBSCRIBE_BY_DATASOURCE
      ? byDatasource(datasource, accessVersion)
      : { ...byIp(client), policy },
  );
}

function grantOf(claims: TokenClaims, text: string, heardUntil: number) {
  const { datasource, subject, accessVersion, ...token } = claims;
  return { datasource, subject, accessVersion, heardUntil, token: { ...token, text } };
}
