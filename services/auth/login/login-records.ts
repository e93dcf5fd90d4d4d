import type { BoundedWarning } from "../../runtime/bounded-warning.ts";
import type { Clock } from "../../runtime/clock.ts";
import { type Account, replacePasswordHash } from "../store/account-store.ts";
import { type LoginFailure, recordLoginFailure } from "../store/audit-log.ts";
import type { Database } from "../store/database.ts";
import { type FairQueue, type Lane, overloaded } from "../store/fair-queue.ts";
import { KNOWN_NETWORK_USE_MS, storeKnownNetwork } from "../store/known-network-store.ts";
import { hashPassword } from "./password-hash.ts";

// Records of a login beside its session. The answer does not depend on them.

type Options = { db: Database; clock: Clock; warn: BoundedWarning };

export async function recordFailure(
  { auditDb, clock, warn }: Omit<Options, "db"> & { auditDb: Database },
  accountId: string | undefined,
  reason: LoginFailure,
  lane: Lane,
): Promise<void> {
  if (reason === "unreadable-hash") {
    warn("hash", "a stored password hash cannot be read; its account cannot sign in", {
      accountId,
    });
  }
  try {
    const now = new Date(clock.nowMs());
    const record = async (queryable: Parameters<typeof recordLoginFailure>[0]) =>
      await recordLoginFailure(queryable, accountId, reason, now);
    // One share for all: shedding must not tell whether the account exists.
    await auditDb.run("failures", record, lane);
  } catch (error) {
    const text = "a failed login is missing in the audit log";
    warn("audit", text, { err: error, accountId, reason });
  }
}

/** Remembers the network, if any, so that the next login from it is known. Best effort. */
export async function rememberNetwork(
  { db, clock, warn }: Options,
  { id, networkUsedAtMs = Number.NEGATIVE_INFINITY }: Account,
  digest: Buffer | undefined,
): Promise<void> {
  const nowMs = clock.nowMs();
  if (digest === undefined || nowMs - networkUsedAtMs < KNOWN_NETWORK_USE_MS) return;
  try {
    const now = new Date(nowMs);
    await db.run(id, async (queryable) => storeKnownNetwork(queryable, id, digest, now), "known");
  } catch (error) {
    warn("network", "the network of a login could not be remembered", { err: error });
  }
}

/** Stores a stronger hash. Best effort: the next login tries again. */
export async function rehash(
  { db, hashing, clock, warn }: Options & { hashing: FairQueue },
  account: Account,
  { email, password }: { email: string; password: string },
): Promise<void> {
  try {
    const place = { lane: "known", share: email } as const;
    const strongerHash = await hashing.run(place, async () => await hashPassword(password));
    if (strongerHash === overloaded) return;
    const now = new Date(clock.nowMs());
    await db.run(
      account.id,
      async (queryable) => await replacePasswordHash(queryable, account, strongerHash, now),
      "known",
    );
  } catch (error) {
    warn("rehash", "a password hash could not be strengthened", { err: error });
  }
}
