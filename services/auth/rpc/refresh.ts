import type { LimiterClient } from "../../../clients/limiter/limiter-client.ts";
import type { ClientIp } from "../../runtime/client-ip.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Queryable } from "../../runtime/postgres.ts";
import { refreshBuckets } from "../login/limits.ts";
import { requireAllowed } from "../refusal.ts";
import type { Database } from "../store/database.ts";
import {
  endLoginSession,
  findLoginSession,
  rotateRefreshToken,
} from "../store/login-session-store.ts";
import type { UnnamedTokens } from "../store/unnamed-tokens.ts";
import type { Principal } from "../tokens/access-token.ts";
import { type RefreshTokens, type SessionTag, tagOf } from "../tokens/refresh-token.ts";
import { REFRESH_TOKEN_TTL_MS } from "../tokens/token-lifetimes.ts";

export type RefreshOptions = {
  limiter: LimiterClient;
  db: Database;
  refreshTokens: RefreshTokens;
  unnamedTokens: UnnamedTokens;
  clock: Clock;
};

export type Refreshed = { principal: Principal; refreshToken: string };

/** Exchanges a refresh token; undefined if it is not valid. Reuse ends its login session. */
export async function refresh(
  options: RefreshOptions,
  text: string,
  client: ClientIp,
): Promise<Refreshed | undefined> {
  const presented = await present(options, text, client, "refreshing");
  if (presented === undefined) return undefined;
  const { token, run } = presented;
  const tag = token.kind === "named" ? token.tag : await run((db) => findTag(db, token.digest));
  if (tag === undefined) return undefined;
  const nowMs = options.clock.nowMs();
  const successor = options.refreshTokens.generate(tag);
  const principal = await run((db) =>
    rotateRefreshToken(db, {
      digest: token.digest,
      successor: successor.digest,
      now: new Date(nowMs),
      createdAfter: new Date(nowMs - REFRESH_TOKEN_TTL_MS),
    }),
  );
  if (principal !== undefined) return { principal, refreshToken: successor.token };
  await run((db) => endLoginSession(db, token, "refresh-token-reused", new Date(nowMs)));
  return undefined;
}

/** Ends the login session of a refresh token, used or not. Ignores any other text. */
export async function logout(
  options: RefreshOptions,
  text: string,
  client: ClientIp,
): Promise<void> {
  const presented = await present(options, text, client, "signing out");
  if (presented === undefined) return;
  const now = new Date(options.clock.nowMs());
  await presented.run((db) => endLoginSession(db, presented.token, "logout", now));
}

/** Charges the caller; returns the token, or undefined for a text that the database cannot hold. */
async function present(
  { limiter, db, refreshTokens, unnamedTokens }: RefreshOptions,
  text: string,
  client: ClientIp,
  what: string,
) {
  const token = refreshTokens.read(text);
  requireAllowed(await limiter.consume(refreshBuckets(client, token)), what);
  if (token.kind === "noise") return undefined;
  if (token.kind === "unnamed" && !(await unnamedTokens.mayExist())) return undefined;
  const lane = token.kind === "named" ? "known" : "stranger";
  const run = async <T>(work: (db: Queryable) => Promise<T>): Promise<T> =>
    await db.run(client.ip, work, lane);
  return { token, run };
}

async function findTag(db: Queryable, digest: Buffer): Promise<SessionTag | undefined> {
  const loginSession = await findLoginSession(db, digest);
  return loginSession === undefined ? undefined : tagOf(loginSession);
}
