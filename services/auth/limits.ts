import type { Bucket } from "../../clients/limiter/verdict.ts";
import type { ClientIp } from "../runtime/client-ip.ts";
import type { Principal } from "./access-token.ts";

/** The policies that auth consumes for itself. */
export const API_POLICIES = [
  "login.ip",
  "login.account.network",
  "login.account",
  "mint.user",
  "mint.public.ip",
  "introspect.caller",
  "revocations.caller",
] as const;

/** The policies that auth forwards for the gateway. */
export const REALTIME_POLICIES = [
  "realtime.connect.ip",
  "realtime.connections.ip",
  "realtime.subscribe.public.ip",
  "realtime.subscribe.public.datasource",
  "realtime.refresh.ip",
] as const;

/** What a login gives back once the password was right; the charge on the address stays. */
export const LOGIN_ACCOUNT_POLICIES = ["login.account.network", "login.account"] as const;

/** One login is charged to its address and to the account it names, existing or not. */
export function loginBuckets(client: ClientIp, email: string): Bucket[] {
  const doubtful = client.warning !== undefined;
  return [
    { policy: "login.ip", key: client.ip, doubtful },
    { policy: "login.account.network", key: `${client.ip} ${email}`, doubtful },
    { policy: "login.account", key: email },
  ];
}

/** Whoever is signed in is charged by account, everybody else by address. */
export function mintBuckets(client: ClientIp, principal: Principal | undefined): Bucket[] {
  if (principal !== undefined) return [{ policy: "mint.user", key: principal.accountId }];
  const doubtful = client.warning !== undefined;
  return [{ policy: "mint.public.ip", key: client.ip, doubtful }];
}

/** A calling instance is the service whose token it has, at the address it calls from. */
export function callerBucket(
  policy: "introspect.caller" | "revocations.caller",
  caller: string,
  client: ClientIp,
): Bucket {
  return { policy, key: `${caller} ${client.ip}` };
}
