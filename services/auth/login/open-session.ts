import { randomUUID } from "node:crypto";
import type { Clock } from "../../runtime/clock.ts";
import type { Account } from "../store/account-store.ts";
import type { Database } from "../store/database.ts";
import { openLoginSession } from "../store/login-session-store.ts";
import type { Principal } from "../tokens/access-token.ts";
import { type RefreshTokens, tagOf } from "../tokens/refresh-token.ts";
import { LOGIN_SESSION_TTL_MS } from "../tokens/token-lifetimes.ts";

export type OpenedSession = { principal: Principal; refreshToken: string; deviceEpoch: number };

/** Opens a login session; undefined if the account was disabled or locked meanwhile. */
export async function openSession(
  options: { db: Database; clock: Clock; refreshTokens: RefreshTokens },
  { id: accountId, deviceEpoch }: Account,
): Promise<OpenedSession | undefined> {
  const nowMs = options.clock.nowMs();
  const id = randomUUID();
  const { token, digest } = options.refreshTokens.generate(tagOf(id));
  const createdAt = new Date(nowMs);
  const expiresAt = new Date(nowMs + LOGIN_SESSION_TTL_MS);
  const session = { id, accountId, digest, createdAt, expiresAt };
  const isOpen = await options.db.run(
    accountId,
    async (db) => await openLoginSession(db, session),
    "known",
  );
  if (!isOpen) return undefined;
  return { principal: { accountId, loginSession: id }, refreshToken: token, deviceEpoch };
}
