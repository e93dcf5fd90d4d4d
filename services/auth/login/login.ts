import { Code, ConnectError } from "@connectrpc/connect";
import type { BoundedWarning } from "../../runtime/bounded-warning.ts";
import type { ClientIp } from "../../runtime/client-ip.ts";
import { isDatabaseOutage } from "../../runtime/postgres.ts";
import { type Account, findAccount } from "../store/account-store.ts";
import type { LoginFailure } from "../store/audit-log.ts";
import type { Database } from "../store/database.ts";
import { type FairQueue, overloaded } from "../store/fair-queue.ts";
import { KNOWN_NETWORK_TTL_MS } from "../store/known-network-store.ts";
import type { Device } from "../tokens/device-token.ts";
import type { RefreshTokens } from "../tokens/refresh-token.ts";
import { keepsCharge } from "./kept-charge.ts";
import { crowded } from "./keyed-turns.ts";
import {
  type Charges,
  chargeAsStranger,
  chargeLogin,
  type LoginLimits,
  refundAll,
  refundMost,
} from "./login-charges.ts";
import { recordFailure, rehash, rememberNetwork } from "./login-records.ts";
import type { LoginTurns } from "./login-turns.ts";
import type { NetworkDigests } from "./network-digest.ts";
import { networkOf } from "./network-of.ts";
import { type OpenedSession, openSession } from "./open-session.ts";
import { checkPassword, type PasswordCheck } from "./password-hash.ts";
import type { RecentNetworks } from "./recent-networks.ts";

export type LoginOptions = LoginLimits & {
  db: Database;
  /** For the records of failed logins. */
  auditDb: Database;
  hashing: FairQueue;
  turns: LoginTurns;
  networkDigests: NetworkDigests;
  recentNetworks: RecentNetworks;
  /** How much of an IPv6 address is one client, as in the limiter. */
  ipv6PrefixBits: number;
  refreshTokens: RefreshTokens;
  /** Verified when there is no account, so that the answer takes the same time. */
  dummyHash: string;
  warn: BoundedWarning;
};

export type LoginAttempt = {
  email: string;
  password: string;
  client: ClientIp;
  /** The device of the token that the client showed; unset without one. */
  device?: Device | undefined;
};

export type LoginOutcome =
  | ({ kind: "ok"; device: Device | undefined } & OpenedSession)
  /** Wrong password, or an unknown, disabled or locked account: callers cannot tell which. */
  | { kind: "refused" }
  | { kind: "limited"; retryAfterMs: number; policy: string }
  /** No decision of the limiter or no database: the password was not checked. */
  | { kind: "unavailable"; retryAfterMs: number };

/** About the time that an overloaded service or a restarted database needs. */
const RETRY_AFTER_MS = 1_000;
/** About the time that a full queue of attempts takes. */
const CROWDED_RETRY_AFTER_MS = 3_000;

/** Stands in place of a policy where the limit is on attempts in flight. */
const TURNS = "login.turns";

const unavailable: LoginOutcome = { kind: "unavailable", retryAfterMs: RETRY_AFTER_MS };

/** An attempt and its network. */
type Attempt = LoginAttempt & {
  /** The network as the limiter names it. */
  network: string;
  /** The digests of the network; none for a doubtful address, whose network may be anybody's. */
  digests: readonly Buffer[];
};

/**
 * Signs in. Every limit is charged before the password is checked, so that parallel guesses cannot
 * outrun the lock. A right password, and one that could not be checked, is refunded.
 */
export async function login(options: LoginOptions, attempt: LoginAttempt): Promise<LoginOutcome> {
  const { client, email, device } = attempt;
  const network = networkOf(client, options.ipv6PrefixBits);
  const digests = client.warning === undefined ? options.networkDigests.of(email, network) : [];
  const source = device === undefined ? network : `device ${device.id}`;
  const outcome = await options.turns.run(email, source, async () => {
    return await chargeAndCheck(options, { ...attempt, network, digests });
  });
  if (outcome !== crowded) return outcome;
  return { kind: "limited", retryAfterMs: CROWDED_RETRY_AFTER_MS, policy: TURNS };
}

async function chargeAndCheck(options: LoginOptions, attempt: Attempt): Promise<LoginOutcome> {
  const { device, network, digests } = attempt;
  const charged = await chargeLogin(options, {
    client: attempt.client,
    email: attempt.email,
    deviceId: device?.id,
    network: digests.length === 0 ? undefined : network,
  });
  if (charged.kind !== "charged") return charged;
  let { charges } = charged;
  let isKnown = false;
  try {
    const account = await lookUp(options, attempt, charges);
    const isKnownDevice =
      device !== undefined &&
      device.accountId === account?.id &&
      device.epoch === account.deviceEpoch;
    const isKnownNetwork = account?.networkUsedAtMs !== undefined;
    if (isKnownNetwork) options.recentNetworks.add(digests);
    isKnown = isKnownDevice || isKnownNetwork;
    if (charges.as !== "stranger" && !isKnown) {
      const more = await chargeAsStranger(options, attempt, charges);
      if (more.kind !== "charged") {
        await refundMost(options, charges);
        return more;
      }
      charges = more.charges;
    }
    const outcome = await check(options, attempt, { account, isKnown, charges });
    if (outcome.kind === "ok") return isKnownDevice ? { ...outcome, device } : outcome;
    if (outcome.kind !== "unavailable") return outcome;
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    const text = "a login could not be checked: the database cannot serve now";
    options.warn("login", text, { err: error });
  }
  // Strangers keep the charge on their address even if they were shed: it bounds their crowd.
  await (isKnown ? refundAll(options, charges) : refundMost(options, charges));
  return unavailable;
}

async function lookUp(
  { db, clock, recentNetworks }: LoginOptions,
  { email, network, digests, device }: Attempt,
  charges: Charges,
): Promise<Account | undefined> {
  const usedAfter = new Date(clock.nowMs() - KNOWN_NETWORK_TTL_MS);
  const isDevice = charges.as === "device" && device !== undefined;
  return await db.run(
    isDevice ? device.id : network,
    async (queryable) => await findAccount(queryable, email, { digests, usedAfter }),
    isDevice || recentNetworks.has(digests) ? "known" : "stranger",
  );
}

async function check(
  options: LoginOptions,
  attempt: Attempt,
  found: { account: Account | undefined; isKnown: boolean; charges: Charges },
): Promise<LoginOutcome> {
  const { account, isKnown, charges } = found;
  const { dummyHash } = options;
  const passwordHash = account?.passwordHash ?? dummyHash;
  const lane = isKnown ? "known" : "stranger";
  const share = isKnown ? attempt.email : attempt.network;
  const checked = await options.hashing.run({ lane, share }, async () => {
    return await checkPassword(passwordHash, attempt.password, dummyHash);
  });
  if (checked === overloaded) return unavailable;
  const failure = failureOf(account, checked);
  if (account === undefined || failure !== undefined) {
    await recordFailure(options, account?.id, failure ?? "unknown", lane);
    return { kind: "refused" };
  }
  const isStale = checked === "right-but-stale";
  return await admit(options, attempt, { account, isStale, charges });
}

/** Opens a login session after a right password. */
async function admit(
  options: LoginOptions,
  attempt: Attempt,
  admitted: { account: Account; isStale: boolean; charges: Charges },
): Promise<LoginOutcome> {
  const { account, isStale, charges } = admitted;
  const [opened] = await Promise.all([
    openSession(options, account),
    rememberNetwork(options, account, attempt.digests[0]),
    keepsCharge() ? refundMost(options, charges) : refundAll(options, charges),
  ]);
  options.recentNetworks.add(attempt.digests);
  if (isStale) await rehash(options, account, attempt);
  return opened === undefined ? { kind: "refused" } : { kind: "ok", device: undefined, ...opened };
}

/** The reason for the audit log; undefined when the login succeeds. */
function failureOf(account: Account | undefined, checked: PasswordCheck): LoginFailure | undefined {
  if (account === undefined) return "unknown";
  if (checked === "unreadable") return "unreadable-hash";
  return checked === "wrong" ? "wrong-password" : account.barredBy;
}

/** Whether the database cannot serve or its queue is full. */
function isUnavailable(error: unknown): boolean {
  if (error instanceof ConnectError) return error.code === Code.Unavailable;
  return isDatabaseOutage(error);
}
