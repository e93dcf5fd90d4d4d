import type { BucketRequest } from "../../../clients/limiter/bucket-request.ts";
import type { Place } from "../../../clients/limiter/place.ts";
import type { Verdict } from "../../../clients/limiter/verdict.ts";
import type { AllowedOrigins } from "../../runtime/allowed-origins.ts";
import type { ClientIdentity } from "../../runtime/client-identity.ts";
import type { ClientIp } from "../../runtime/client-ip.ts";
import { CONNECT_BY_IP, CONNECTIONS_BY_IP } from "../access/policies.ts";
import type { RecentRefusals } from "../access/recent-refusals.ts";
import { RETRY_AFTER_OUTAGE_MS } from "../access/refusal.ts";
import type { RefusedStatus, UpgradeResult } from "../events.ts";
import type { Sessions } from "../session/sessions.ts";
import type { Subprotocol } from "../streams/subprotocol.ts";
import { checkHandshake, type HeaderLines } from "./handshake.ts";

/** An upgrade request, copied. */
export type UpgradeRequest = { headers: HeaderLines; remote: string };

/** Whether a client gets a connection, and if not, the HTTP answer. */
export type Admission =
  | {
      kind: "admitted";
      client: ClientIp;
      key: string;
      subprotocol: Subprotocol;
      echo: Subprotocol | "";
    }
  | {
      kind: "refused";
      result: UpgradeResult;
      status: RefusedStatus;
      message: string;
      /** Set when the same upgrade may succeed later. */
      retryAfterMs?: number;
    };

/**
 * uWebSockets waits for an upgrade for ever, so this bounds the wait whatever the limiter client
 * does. It is above every deadline that the client may be given: normally the client decides.
 */
const UPGRADE_TIMEOUT_MS = 2_500;

const NO_DECISION: Verdict & { kind: "no-decision" } = {
  kind: "no-decision",
  retryAfterMs: RETRY_AFTER_OUTAGE_MS,
};

type AdmissionOptions = {
  allowedOrigins: AllowedOrigins;
  identity: ClientIdentity;
  sessions: Sessions;
  /** What browsers can ask about afterwards. */
  refusals: Pick<RecentRefusals, "remember">;
};

/**
 * Decides about upgrades in the one right order: the handshake, the client's address, its share of
 * what is decided at once, then the limits. Asks the limiter for `place`, which stays the caller's:
 * the caller releases it when the upgrade is refused.
 */
export function createAdmission(
  options: AdmissionOptions,
): (request: UpgradeRequest, place: Place) => Promise<Admission> {
  const { allowedOrigins, identity, sessions, refusals } = options;

  return async ({ headers, remote }, place) => {
    const handshake = checkHandshake(headers, allowedOrigins);
    if (handshake.kind === "refused") return { ...handshake, result: "invalid" };
    const client = identity({ remote, forwardedLines: headers.get("x-forwarded-for") ?? [] });
    const answer = await admitClient(sessions, client, place);
    if (answer.kind === "admitted") return { ...handshake, ...answer };
    const { status, retryAfterMs } = answer;
    const code = status === 429 ? "rate_limited" : "unavailable";
    refusals.remember(client, { status, code, retryAfterMs });
    return answer;
  };
}

type ClientAdmission =
  | { kind: "admitted"; client: ClientIp }
  | {
      kind: "refused";
      result: "limited" | "unavailable";
      status: 429 | 503;
      message: string;
      retryAfterMs: number;
    };

async function admitClient(
  sessions: Sessions,
  client: ClientIp,
  place: Place,
): Promise<ClientAdmission> {
  const holder = shareHolder(client);
  const reservation = sessions.reserve(holder);
  if (reservation === "over-share") {
    return limited("too many connects at once", RETRY_AFTER_OUTAGE_MS);
  }
  if (reservation === "full") return unavailable("the gateway is full or stopping", NO_DECISION);
  try {
    const connect = connectOf(client);
    const connection = { ...connect, policy: CONNECTIONS_BY_IP };
    const verdict = await withinDeadline(place.acquire(connection, [connect]));
    if (verdict.kind === "rejected") {
      const isPlace = verdict.policy === CONNECTIONS_BY_IP;
      return limited(isPlace ? "too many connections" : "too many connects", verdict.retryAfterMs);
    }
    if (verdict.kind === "no-decision") return unavailable("temporarily unavailable", verdict);
    if (sessions.isDraining) return unavailable("the gateway is stopping", NO_DECISION);
    return { kind: "admitted", client };
  } finally {
    sessions.settle(holder);
  }
}

/** A doubtful address must not take the share of the honest client that has it. */
function shareHolder({ ip, warning }: ClientIp): string {
  return warning === undefined ? ip : `doubtful ${ip}`;
}

function connectOf(client: ClientIp): BucketRequest {
  return { policy: CONNECT_BY_IP, key: client.ip, doubtful: client.warning !== undefined };
}

function limited(message: string, retryAfterMs: number): ClientAdmission {
  return { kind: "refused", result: "limited", status: 429, message, retryAfterMs };
}

function unavailable(message: string, { retryAfterMs }: { retryAfterMs: number }): ClientAdmission {
  return { kind: "refused", result: "unavailable", status: 503, message, retryAfterMs };
}

/** Answers no decision when the deadline passes first. */
async function withinDeadline(verdict: Promise<Verdict>): Promise<Verdict> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<Verdict>((resolve) => {
    timer = setTimeout(resolve, UPGRADE_TIMEOUT_MS, NO_DECISION);
  });
  return await Promise.race([verdict, expired]).finally(() => clearTimeout(timer));
}
