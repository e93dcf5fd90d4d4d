import type { LimiterClient } from "../../clients/limiter/verdict.ts";
import type { ClientIp } from "../runtime/client-ip.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Logger } from "../runtime/log.ts";
import { isDatabaseOutage, type PostgresPool } from "../runtime/postgres.ts";
import type { Principal } from "./access-token.ts";
import { findAccount, replacePasswordHash } from "./account-store.ts";
import { type LoginFailure, recordLoginFailure } from "./audit-log.ts";
import { type BoundedQueue, overloaded } from "./bounded-queue.ts";
import { LOGIN_ACCOUNT_POLICIES, loginBuckets } from "./limits.ts";
import { openLoginSession } from "./login-session-store.ts";
import { hashPassword, needsRehash, verifyPassword } from "./password-hash.ts";
import { digestRefreshToken, generateRefreshToken } from "./refresh-token.ts";
import { LOGIN_SESSION_TTL_MS } from "./token-lifetimes.ts";

export type LoginOptions = {
  db: PostgresPool;
  limiter: LimiterClient;
  hashing: BoundedQueue;
  /** Verified in place of the hash of an account that does not exist, so that it takes as long. */
  dummyHash: string;
  /** Refuse whenever there is no real decision, whatever the failure mode says. */
  isAlwaysClosed: boolean;
  clock: Clock;
  log: Logger;
};

export type LoginOutcome =
  | { kind: "ok"; principal: Principal; refreshToken: string }
  /** Wrong, unknown, disabled or locked: the outside cannot tell. */
  | { kind: "refused" }
  | { kind: "limited"; retryAfterMs: number }
  /** Nobody could decide or look: a guess was neither counted nor answered. */
  | { kind: "unavailable"; retryAfterMs: number };

/** An overloaded service or a database that comes back needs about that long. */
const RETRY_AFTER_MS = 1_000;

const unavailable: LoginOutcome = { kind: "unavailable", retryAfterMs: RETRY_AFTER_MS };

/**
 * Signs in. Every limit is charged before the password is looked at, so that guesses made at once
 * cannot outrun the lock; the account's buckets get their charge back when the password was right,
 * and when it could not be looked at.
 */
export async function login(
  options: LoginOptions,
  attempt: { email: string; password: string; client: ClientIp },
): Promise<LoginOutcome> {
  const { limiter, isAlwaysClosed } = options;
  const buckets = loginBuckets(attempt.client, attempt.email);
  const verdict = await limiter.consume(buckets, { alwaysClosed: isAlwaysClosed });
  if (verdict.kind === "no-decision") {
    return { kind: "unavailable", retryAfterMs: verdict.retryAfterMs };
  }
  if (verdict.kind === "rejected") {
    return { kind: "limited", retryAfterMs: verdict.retryAfterMs };
  }
  const refund = async () => {
    await limiter.refund(verdict.receipt, LOGIN_ACCOUNT_POLICIES);
  };
  const outcome = await check(options, attempt, refund);
  if (outcome.kind === "unavailable") await refund();
  return outcome;
}

async function check(
  options: LoginOptions,
  attempt: { email: string; password: string },
  refund: () => Promise<void>,
): Promise<LoginOutcome> {
  const { db, hashing, dummyHash, log } = options;
  try {
    const account = await findAccount(db, attempt.email);
    const passwordHash = account?.passwordHash ?? dummyHash;
    const isRight = await hashing.run(() => verifyPassword(passwordHash, attempt.password));
    if (isRight === overloaded) return unavailable;
    if (account === undefined || !isRight || account.barredBy !== undefined) {
      const reason = account === undefined ? "unknown" : isRight ? account.barredBy : undefined;
      await audit(options, account?.id, reason ?? "wrong-password");
      return { kind: "refused" };
    }
    const [outcome] = await Promise.all([open(options, account.id), refund()]);
    if (needsRehash(passwordHash)) await rehash(options, account, attempt.password);
    return outcome;
  } catch (error) {
    if (!isDatabaseOutage(error)) throw error;
    log.warn({ err: error }, "a login could not be checked: the database cannot serve now");
    return unavailable;
  }
}

async function open({ db, clock }: LoginOptions, accountId: string): Promise<LoginOutcome> {
  const nowMs = clock.nowMs();
  const refreshToken = generateRefreshToken();
  const loginSession = await openLoginSession(db, {
    accountId,
    digest: digestRefreshToken(refreshToken),
    createdAt: new Date(nowMs),
    expiresAt: new Date(nowMs + LOGIN_SESSION_TTL_MS),
  });
  if (loginSession === undefined) return { kind: "refused" };
  return { kind: "ok", principal: { accountId, loginSession }, refreshToken };
}

/** An answer does not depend on whether it could be written down. */
async function audit(
  { db, clock, log }: LoginOptions,
  accountId: string | undefined,
  reason: LoginFailure,
): Promise<void> {
  try {
    await recordLoginFailure(db, accountId, reason, new Date(clock.nowMs()));
  } catch (error) {
    log.error({ err: error, accountId, reason }, "a failed login is missing in the audit log");
  }
}

/** Best effort: the next login tries again. */
async function rehash(
  { db, hashing, log }: LoginOptions,
  account: { id: string; passwordHash: string },
  password: string,
): Promise<void> {
  try {
    const strongerHash = await hashing.run(() => hashPassword(password));
    if (strongerHash !== overloaded) await replacePasswordHash(db, account, strongerHash);
  } catch (error) {
    log.warn({ err: error }, "a password hash could not be strengthened");
  }
}
