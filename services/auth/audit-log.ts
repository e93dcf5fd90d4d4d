import type { Queryable } from "../runtime/postgres.ts";

/** Why a password did not sign anybody in. The outside never learns which. */
export type LoginFailure = "unknown" | "wrong-password" | "disabled" | "locked";

/** Successes are recorded by the statements that make them; a failure has no other trace. */
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
