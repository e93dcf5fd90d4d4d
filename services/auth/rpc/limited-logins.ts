import type { BoundedWarning } from "../../runtime/bounded-warning.ts";
import type { Clock } from "../../runtime/clock.ts";
import { recordLimitedLogin } from "../store/audit-log.ts";
import type { Database } from "../store/database.ts";

/** Within this time, another attempt at the same account says nothing new. */
const INTERVAL_MS = 60_000;
/** Entries within that time. Whoever is limited writes them, so that without end they fill the disk. */
const ENTRIES_MAX = 60;

/** Says which limited attempts are worth an entry: one for each account and policy in a while. */
export class LimitedAttempts {
  #startedMs = Number.NEGATIVE_INFINITY;
  /** At most as many as there are entries in an interval. */
  readonly #entered = new Set<string>();
  #passedOver = 0;

  /** How many were passed over before this one; undefined when this one is, too. */
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

/** Leaves a trace of logins that were limited, without making any of them wait for it. */
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
