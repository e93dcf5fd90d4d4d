import type { BoundedWarning } from "../../runtime/bounded-warning.ts";
import type { Clock } from "../../runtime/clock.ts";
import { recordLimitedLogin } from "../store/audit-log.ts";
import type { Database } from "../store/database.ts";

/** One entry for an account and policy within this time. */
const INTERVAL_MS = 60_000;
/** Entries within that time. Attackers cause them: without a bound they would fill the disk. */
const ENTRIES_MAX = 60;

/** Decides which limited attempts get an entry: one for each account and policy in an interval. */
export class LimitedAttempts {
  #startedMs = Number.NEGATIVE_INFINITY;
  /** At most `ENTRIES_MAX`. */
  readonly #entered = new Set<string>();
  #passedOver = 0;

  /** The number of attempts passed over since the last entry; undefined if this one is, too. */
  enter(name: string, nowMs: number): number | undefined {
    if (Math.abs(nowMs - this.#startedMs) >= INTERVAL_MS) {
      this.#startedMs = nowMs;
      this.#entered.clear();
    }
    if (this.#entered.has(name) || this.#entered.size >= ENTRIES_MAX) {
      this.#passedOver++;
      return undefined;
    }
    this.#entered.add(name);
    const passedOver = this.#passedOver;
    this.#passedOver = 0;
    return passedOver;
  }
}

export type LimitedLogin = { email: string; policy: string; retryAfterMs: number };

/** Logs and audits limited logins; none of them waits for that. */
export function createLimitedLogins(options: {
  auditDb: Database;
  clock: Clock;
  warn: BoundedWarning;
}): (login: LimitedLogin) => void {
  const { auditDb, clock, warn } = options;
  const attempts = new LimitedAttempts();
  const record = async (login: LimitedLogin, passedOver: number, now: Date) => {
    try {
      await auditDb.run("limited", async (queryable) => {
        await recordLimitedLogin(queryable, login, passedOver, now);
      });
    } catch (error) {
      warn("audit limited", "a limited login is missing in the audit log", { err: error });
    }
  };
  return (login) => {
    const { email, policy, retryAfterMs } = login;
    // Neither the address nor the e-mail of an account that may not exist.
    warn(`limited ${policy}`, "a login was limited", { policy, retryAfterMs });
    const nowMs = clock.nowMs();
    const passedOver = attempts.enter(`${policy} ${email}`, nowMs);
    if (passedOver !== undefined) void record(login, passedOver, new Date(nowMs));
  };
}
