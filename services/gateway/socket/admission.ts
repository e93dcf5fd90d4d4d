import type { LeasedBucket, LeaseKeeper } from "../../../clients/limiter/lease-keeper.ts";
import type { Bucket, LimiterClient, Verdict } from "../../../clients/limiter/verdict.ts";
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
      /** Held by the session until it closes. */
      place: LeasedBucket;
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
 * uWebSockets waits for an upgrade for ever; this bounds it from outside whatever the limiter's
 * client does. It is above any deadline that client may be given, so that normally it decides.
 */
const UPGRADE_TIMEOUT_MS = 2_500;

/** A gateway that dies gives the places of its connections back within this time. */
export const PLACE_TTL_MS = 30_000;

const NO_DECISION: Verdict & { kind: "no-decision" } = {
  kind: "no-decision",
  retryAfterMs: RETRY_AFTER_OUTAGE_MS,
};

type AdmissionOptions = {
  allowedOrigins: AllowedOrigins;
  identity: ClientIdentity;
  limiter: Pick<LimiterClient, "consume">;
  leases: Pick<LeaseKeeper, "giveBack">;
  sessions: Sessions;
  /** What browsers can ask about afterwards. */
  refusals: Pick<RecentRefusals, "remember">;
};

/**
 * Decides about upgrades in the one right order: the handshake, the client's address, its share of
 * what is decided at once, then the limits. `sessionId` names what the charge is for.
 */
export function createAdmission(
  options: AdmissionOptions,
): (request: UpgradeRequest, sessionId: string) => Promise<Admission> {
  const { allowedOrigins, identity, refusals } = options;

  return async ({ headers, remote }, sessionId) => {
    const handshake = checkHandshake(headers, allowedOrigins);
    if (handshake.kind === "refused") return { ...handshake, result: "invalid" };
    const client = identity({ remote, forwardedLines: headers.get("x-forwarded-for") ?? [] });
    const answer = await admitClient(options, client, sessionId);
    if (answer.kind === "admitted") return { ...handshake, ...answer };
    const { status, retryAfterMs } = answer;
    const code = status === 429 ? "rate_limited" : "unavailable";
    refusals.remember(client, { status, code, retryAfterMs });
    return answer;
  };
}

type ClientAdmission =
  | { kind: "admitted"; client: ClientIp; place: LeasedBucket }
  | {
      kind: "refused";
      result: "limited" | "unavailable";
      status: 429 | 503;
      message: string;
      retryAfterMs: number;
    };

async function admitClient(
  { limiter, leases, sessions }: AdmissionOptions,
  client: ClientIp,
  sessionId: string,
): Promise<ClientAdmission> {
  const holder = shareHolder(client);
  const reservation = sessions.reserve(holder);
  if (reservation === "over-share") {
    return limited("too many connects at once", RETRY_AFTER_OUTAGE_MS);
  }
  if (reservation === "full") return unavailable("the gateway is full or stopping", NO_DECISION);
  try {
    const place = placeOf(client, sessionId);
    const consumed = limiter.consume([connectOf(client), place]);
    const verdict = await withinDeadline(consumed, (late) => {
      if (late.kind === "allowed") leases.giveBack(sessionId);
    });
    if (verdict.kind === "rejected") {
      const isPlace = verdict.policy === CONNECTIONS_BY_IP;
      return limited(isPlace ? "too many connections" : "too many connects", verdict.retryAfterMs);
    }
    if (verdict.kind === "allowed" && !sessions.isDraining) {
      return { kind: "admitted", client, place };
    }
    // Without an answer the place may have been taken all the same.
    leases.giveBack(sessionId);
    if (verdict.kind === "no-decision") return unavailable("temporarily unavailable", verdict);
    return unavailable("the gateway is stopping", NO_DECISION);
  } finally {
    sessions.settle(holder);
  }
}

/** A doubtful address must not take the share of the honest client that has it. */
function shareHolder({ ip, warning }: ClientIp): string {
  return warning === undefined ? ip : `doubtful ${ip}`;
}

function connectOf(client: ClientIp): Bucket {
  return { policy: CONNECT_BY_IP, key: client.ip, doubtful: client.warning !== undefined };
}

/** One of the connections that an address may hold at the same time. */
function placeOf(client: ClientIp, sessionId: string): LeasedBucket {
  const lease = { id: sessionId, ttlMs: PLACE_TTL_MS };
  return { ...connectOf(client), policy: CONNECTIONS_BY_IP, lease };
}

function limited(message: string, retryAfterMs: number): ClientAdmission {
  return { kind: "refused", result: "limited", status: 429, message, retryAfterMs };
}

function unavailable(message: string, { retryAfterMs }: { retryAfterMs: number }): ClientAdmission {
  return { kind: "refused", result: "unavailable", status: 503, message, retryAfterMs };
}

/** No decision when the deadline passes first; the verdict is then told to `onLate`. */
async function withinDeadline(
  verdict: Promise<Verdict>,
  onLate: (verdict: Verdict) => void,
): Promise<Verdict> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<Verdict>((resolve) => {
    timer = setTimeout(() => {
      resolve(NO_DECISION);
      void verdict.then(onLate);
    }, UPGRADE_TIMEOUT_MS);
  });
  return await Promise.race([verdict, expired]).finally(() => clearTimeout(timer));
}
