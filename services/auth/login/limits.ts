import type { BucketRequest } from "../../../clients/limiter/bucket-request.ts";
import { policiesOf } from "../../../clients/limiter/policies-of.ts";
import type { ClientIp } from "../../runtime/client-ip.ts";
import type { Principal } from "../tokens/access-token.ts";
import type { ReadToken } from "../tokens/refresh-token.ts";

/** The policies that auth consumes for itself. */
export const API_POLICIES = policiesOf("auth");

/** The policies that auth forwards for the gateway. */
export const REALTIME_POLICIES = policiesOf("gateway");

/** What a login is charged beside its address: given back once the password was right. */
export const LOGIN_ACCOUNT_POLICIES = [
  "login.account.network",
  "login.account",
  "login.account.known",
] as const;

/** The policy that a rejection names when strangers have used up an account's guesses. */
export const STRANGERS_POLICY = "login.account";

/** A stranger's login is charged to its address and to the account it names, existing or not. */
export function strangerLoginBuckets(client: ClientIp, email: string): BucketRequest[] {
  return [...addressLoginBuckets(client, email), strangersBucket(email)];
}

/** What the strangers to an account share. */
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
 * A known device has a bucket of its own and nothing else: it has proved itself, so that guesses of
 * others behind its address do not count against it. One for all accounts, so that a device token
 * pays for no more looks at the accounts of others than at its own.
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
 * A refresh token that names its login session is charged to that and to the address. A text that
 * proves nothing is charged as if its address were doubtful: it cannot use up what those with
 * tokens have behind the same address.
 */
export function refreshBuckets(client: ClientIp, token: ReadToken): BucketRequest[] {
  if (token.kind !== "named") return [unprovenBucket("refresh.ip", client)];
  const doubtful = client.warning !== undefined;
  return [
    { policy: "refresh.ip", key: client.ip, doubtful },
    { policy: "refresh.session", key: token.tag.toString("hex") },
  ];
}

/** Whoever is signed in is charged by account, everybody else by address; each datasource counts. */
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

/** A try without a valid credential, apart from those with one behind the same address. */
export function unprovenBucket(
  policy: "refresh.ip" | "credential.ip",
  client: ClientIp,
): BucketRequest {
  return { policy, key: client.ip, doubtful: true };
}

/** A calling instance is the service whose token it has, at the address it calls from. */
export function callerBucket(
  policy: "introspect.caller" | "revocations.caller",
  caller: string,
  client: ClientIp,
): BucketRequest {
  return { policy, key: `${caller} ${client.ip}` };
}
