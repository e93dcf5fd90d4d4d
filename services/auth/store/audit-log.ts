import type { FailureModeChange } from "../../../clients/limiter/failure-mode.ts";
import type { Queryable } from "../../runtime/postgres.ts";

/** Why a login failed. Clients never learn it. */
export type LoginFailure =
  | "unknown"
  | "wrong-password"
  | "disabled"
  | "locked"
  /** The stored password hash cannot be verified. */
  | "unreadable-hash";

/** Records a failed login. The statement that opens a login session records a successful one. */
export async function recordLoginFailure(
  db: Queryable,
  accountId: string | undefined,
  reason: LoginFailure,
  now: Date,
): Promise<void> {
  await db.query(
    `insert into auth.audit_log (at, event, account_id, detail)
     values ($1::timestamptz, 'login.failed', $2::uuid, jsonb_build_object('reason', $3::text))`,
    [now, accountId, reason],
  );
}

/**
 * Records that a login was limited, whether or not its account exists. `passedOver` earlier ones
 * have no entry.
 */
export async function recordLimitedLogin(
  db: Queryable,
  login: { email: string; policy: string; retryAfterMs: number },
  passedOver: number,
  now: Date,
): Promise<void> {
  await db.query(
    `insert into auth.audit_log (at, event, account_id, detail)
     values ($1::timestamptz, 'login.limited', (select id from auth.accounts where email = $2),
       jsonb_build_object(
         'policy', $3::text, 'retryAfterMs', $4::bigint, 'passedOver', $5::bigint))`,
    [now, login.email, login.policy, Math.ceil(login.retryAfterMs), passedOver],
  );
}

/** Records that limits fail open, or fail closed again, since `at`. */
export async function recordFailureModeChange(
  db: Queryable,
  { surface, mode, change, untilMs }: FailureModeChange,
  at: Date,
): Promise<void> {
  const until = Number.isFinite(untilMs) ? new Date(untilMs).toISOString() : null;
  await db.query(
    `insert into auth.audit_log (at, event, detail)
     values ($1::timestamptz, $2, jsonb_strip_nulls(
       jsonb_build_object('surface', $3::text, 'change', $4::text, 'until', $5::text)))`,
    [at, `limits.${mode}`, surface, change, until],
  );
}
