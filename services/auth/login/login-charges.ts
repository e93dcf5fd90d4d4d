import { setTimeout as sleep } from "node:timers/promises";
import type { BucketRequest } from "../../../clients/limiter/bucket-request.ts";
import type { LimiterClient } from "../../../clients/limiter/limiter-client.ts";
import type { Verdict } from "../../../clients/limiter/verdict.ts";
import type { ClientIp } from "../../runtime/client-ip.ts";
import type { Clock } from "../../runtime/clock.ts";
import {
  knownDeviceBucket,
  knownNetworkBuckets,
  LOGIN_ACCOUNT_POLICIES,
  STRANGERS_POLICY,
  strangerLoginBuckets,
  strangersBucket,
} from "./limits.ts";
import type { RecentRefunds } from "./recent-refunds.ts";

/** As what a client was charged. */
export type ChargedAs = "device" | "network" | "stranger";

/** What a login attempt has been charged. */
export type Charges = {
  as: ChargedAs;
  receipts: readonly string[];
  /** The buckets that the receipts are for. */
  buckets: readonly BucketRequest[];
};

type NotCharged =
  | { kind: "limited"; retryAfterMs: number; policy: string }
  | { kind: "unavailable"; retryAfterMs: number };

export type Charged = { kind: "charged"; charges: Charges } | NotCharged;

export type LoginLimits = {
  limiter: LimiterClient;
  /** Refuse without a decision of the limiter, whatever the failure mode is. */
  isAlwaysClosed: boolean;
  recentRefunds: RecentRefunds;
  clock: Clock;
};

export type Applicant = {
  client: ClientIp;
  email: string;
  /** The id on its device token, which is signed but may belong to another account. */
  deviceId: string | undefined;
  /** Undefined for a doubtful address, whose network may be anybody's. */
  network: string | undefined;
};

/**
 * Charges an attempt before the account is looked up. A client with a device token is charged as
 * that device, any other as a stranger; if only the strangers' bucket rejects, as a known network.
 * The lookup, which this charge has paid for, then shows whether the client is what it was charged
 * as.
 */
export async function chargeLogin(limits: LoginLimits, applicant: Applicant): Promise<Charged> {
  const { client, email, deviceId, network } = applicant;
  if (deviceId !== undefined) {
    const asDevice = await consume(limits, [knownDeviceBucket(deviceId)], "device");
    // Another holder of the token may have used up the bucket.
    if (asDevice.kind !== "limited") return asDevice;
  }
  const asStranger = await consume(limits, strangerLoginBuckets(client, email), "stranger");
  if (asStranger.kind !== "limited" || asStranger.policy !== STRANGERS_POLICY) return asStranger;
  if (network === undefined) return asStranger;
  return await consume(limits, knownNetworkBuckets(client, email, network), "network");
}

/** Charges a client that turned out to be a stranger the rest of what strangers pay. */
export async function chargeAsStranger(
  limits: LoginLimits,
  { client, email }: Pick<Applicant, "client" | "email">,
  charges: Charges,
): Promise<Charged> {
  const buckets =
    charges.as === "network" ? [strangersBucket(email)] : strangerLoginBuckets(client, email);
  const more = await consume(limits, buckets, "stranger");
  if (more.kind !== "charged") return more;
  return {
    kind: "charged",
    charges: {
      as: "stranger",
      receipts: [...charges.receipts, ...more.charges.receipts],
      buckets: [...charges.buckets, ...more.charges.buckets],
    },
  };
}

/** Refunds all but the charge that bounds the client's work: that of its address or device. */
export async function refundMost(limits: LoginLimits, charges: Charges): Promise<void> {
  if (charges.as === "device") return;
  await refund(limits, charges, LOGIN_ACCOUNT_POLICIES);
}

export async function refundAll(limits: LoginLimits, charges: Charges): Promise<void> {
  await refund(limits, charges, []);
}

async function refund(
  { limiter, recentRefunds, clock }: LoginLimits,
  { receipts, buckets }: Charges,
  policies: readonly string[],
): Promise<void> {
  await Promise.all(receipts.map(async (receipt) => await limiter.refund(receipt, policies)));
  recentRefunds.note(buckets, clock.nowMs());
}

async function consume(
  limits: LoginLimits,
  buckets: readonly BucketRequest[],
  as: ChargedAs,
): Promise<Charged> {
  const verdict = await decide(limits, buckets);
  switch (verdict.kind) {
    case "allowed":
      return { kind: "charged", charges: { as, receipts: [verdict.receipt], buckets } };
    case "rejected":
      return { kind: "limited", retryAfterMs: verdict.retryAfterMs, policy: verdict.policy };
    case "no-decision":
      return { kind: "unavailable", retryAfterMs: verdict.retryAfterMs };
  }
}

/** Asks again after a rejection that a refund may have undone meanwhile. */
async function decide(
  { limiter, isAlwaysClosed, recentRefunds, clock }: LoginLimits,
  buckets: readonly BucketRequest[],
): Promise<Verdict> {
  const options = { alwaysClosed: isAlwaysClosed };
  const verdict = await limiter.consume(buckets, options);
  const waitMs = recentRefunds.waitMs(buckets, clock.nowMs());
  if (verdict.kind !== "rejected" || waitMs === 0) return verdict;
  await sleep(waitMs);
  return await limiter.consume(buckets, options);
}
