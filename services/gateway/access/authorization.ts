import type { ClientIp } from "../../runtime/client-ip.ts";
import type { Grant } from "./grant.ts";
import type { Refusal } from "./refusal.ts";

/** A client that wants a datasource. */
export type AuthorizationRequest = {
  client: ClientIp;
  datasource: string;
  /** Empty when none was shown. */
  token: string;
  /** A refresh continues what a subscribe was charged for. */
  purpose: "subscribe" | "refresh";
};

export type Authorization =
  | { kind: "granted"; grant: Grant }
  | { kind: "refused"; refusal: Refusal };

/** Decides whether a client may have each of some datasources; answers in their order. */
export type Authorize = (
  requests: readonly AuthorizationRequest[],
) => Promise<readonly Authorization[]>;

export function refused(refusal: Refusal): Authorization & { kind: "refused" } {
  return { kind: "refused", refusal };
}
