import type { ClientIp } from "../../runtime/client-ip.ts";
import type { Grant } from "./grant.ts";
import type { Refusal } from "./refusal.ts";

/** A client that asks for a datasource. */
export type AuthorizationRequest = {
  client: ClientIp;
  datasource: string;
  /** Empty without a token. */
  token: string;
  /** A refresh continues a subscription that was charged already. */
  purpose: "subscribe" | "refresh";
};

export type Authorization =
  | { kind: "granted"; grant: Grant }
  | { kind: "refused"; refusal: Refusal };

/** Decides about each request; answers in their order. */
export type Authorize = (
  requests: readonly AuthorizationRequest[],
) => Promise<readonly Authorization[]>;

export function refused(refusal: Refusal): Authorization & { kind: "refused" } {
  return { kind: "refused", refusal };
}
