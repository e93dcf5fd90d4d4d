import type { BucketRequest } from "../../../clients/limiter/bucket-request.ts";
import { policiesOf } from "../../../clients/limiter/policies-of.ts";
import type { ClientIp } from "../../runtime/client-ip.ts";
import type { Principal } from "../tokens/access-token.ts";
import type { ReadToken } from "../tokens/refresh-token.ts";

/** The policies that auth consumes for itself. */
export const API_POLICIES = policiesOf("auth");

/** The policies that auth forwards for the gateway. */
export const REALTIME_POLICIES = policiesOf("gateway");

/** The charges of a login beside that of its address; refunded after a right password. */
export const LOGIN_ACCOUNT_POLICIES = [
  "login.account.network",
  "login.account",
  "login.account.known",
] as const;

/** The policy that rejects when strangers have used up the guesses at an account. */
export const STRANGERS_POLICY = "login.account";

/** A stranger's login is charged to its address and to the account it names, existing or not. */
export function strangerLoginBuckets(client: ClientIp, email: string): BucketRequest[] {
  return [...addressLoginBuckets(client, email), strangersBucket(email)];
}

/** The bucket that all strangers to an account share. */
export function strangersBucket(email: string): BucketRequest {
  return { policy: STRANGERS_POLICY, key: email };
}

/** A known network has a bucket of its own in place of the strangers'. */
export function knownNetworkBuckets(
  client: ClientIp,
  email: string,
  network: string,
): BucketRequest[] {
  const own = { policy: "login.account.known", key: `network ${network} ${email}` };
  return [...addressLoginBuckets(client, email), own];
}

/**
 * A known device is charged to one bucket of its own and to no other, so that guesses of others
 * behind its address do not count against it. The bucket is the same for all accounts: a device
 * token gives no more guesses at the accounts of others than at its own.
 */
export function knownDeviceBucket(deviceId: string): BucketRequest {
  return { policy: "login.account.known", key: `device ${deviceId}` };
}

function addressLoginBuckets(client: ClientIp, email: string): BucketRequest[] {
  const doubtful = client.warning !== undefined;
  return [
    { policy: "login.ip", key: client.ip, doubtful },
    { policy: "login.account.network", key: `${client.ip} ${email}`, doubtful },
  ];
}

/**
 * A refresh token that names its login session is charged to the session and to the address. Any
 * other text is charged as if its address were doubtful, so that it cannot use up the limit of
 * clients with tokens behind the same address.
 */
export function refreshBuckets(client: ClientIp, token: ReadToken): BucketRequest[] {
  if (token.kind !== "named") return [unprovenBucket("refresh.ip", client)];
  const doubtful = client.warning !== undefined;
  return [
    { policy: "refresh.ip", key: client.ip, doubtful },
    { policy: "refresh.session", key: token.tag.toString("hex") },
  ];
}

/** Charges signed-in callers by account and others by address, once for each datasource. */
export function mintBuckets(
  client: ClientIp,
  principal: Principal | undefined,
  cost: number,
): BucketRequest[] {
  if (principal !== undefined) return [{ policy: "mint.user", key: principal.accountId, cost }];
  const doubtful = client.warning !== undefined;
  return [{ policy: "mint.public.ip", key: client.ip, doubtful, cost }];
}

/** An account's revocation of a token. */
export function revokeBucket(client: ClientIp): BucketRequest {
  return { policy: "revoke.ip", key: client.ip, doubtful: client.warning !== undefined };
}

/** The bucket of tries without a valid credential; valid ones at the same address have another. */
export function unprovenBucket(
  policy: "refresh.ip" | "credential.ip",
  client: ClientIp,
): BucketRequest {
  return { policy, key: client.ip, doubtful: true };
}

/** The bucket of one instance of a service: the name by its token, and its address. */
export function callerBucket(
  policy: "introspect.caller" | "revocations.caller",
  caller: string,
  client: ClientIp,
): BucketRequest {
  return { policy, key: `${caller} ${client.ip}` };
}
