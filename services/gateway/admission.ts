import type { Bucket, LimiterClient, Verdict } from "../../clients/limiter/verdict.ts";
import type { ClientIdentity } from "../runtime/client-identity.ts";
import type { ClientIp } from "../runtime/client-ip.ts";
import type { RefusedStatus, UpgradeResult } from "./events.ts";
import { checkHandshake, type HeaderLines } from "./handshake.ts";
import { CONNECT_BY_IP } from "./policies.ts";
import { RETRY_AFTER_OUTAGE_MS } from "./refusal.ts";
import type { Sessions } from "./sessions.ts";
import type { Subprotocol } from "./subprotocol.ts";

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
 * uWebSockets waits for an upgrade for ever; this bounds it from outside whatever the limiter's
 * client does. It is above any deadline that client may be given, so that normally it decides.
 */
const UPGRADE_TIMEOUT_MS = 2_500;

const NO_DECISION: Verdict & { kind: "no-decision" } = {
  kind: "no-decision",
  retryAfterMs: RETRY_AFTER_OUTAGE_MS,
};

/**
 * Decides about upgrades in the one right order: the handshake, the client's address, then the
 * limits. `sessionId` names what the charge is for.
 */
export function createAdmission(options: {
  allowedOrigins: ReadonlySet<string>;
  identity: ClientIdentity;
  limiter: LimiterClient;
  sessions: Sessions;
}): (request: UpgradeRequest, sessionId: string) => Promise<Admission> {
  const { allowedOrigins, identity, limiter, sessions } = options;

  return async ({ headers, remote }, sessionId) => {
    const handshake = checkHandshake(headers, allowedOrigins);
    if (handshake.kind === "refused") return { ...handshake, result: "invalid" };
    if (!sessions.reserve()) return unavailable("the gateway is full or stopping", NO_DECISION);
    try {
      const client = identity({ remote, forwardedLines: headers.get("x-forwarded-for") ?? [] });
      const verdict = await withinDeadline(limiter.consume(connectBuckets(client, sessionId)));
      if (verdict.kind === "no-decision") return unavailable("temporarily unavailable", verdict);
      if (verdict.kind === "rejected") {
        const { retryAfterMs } = verdict;
        const message = "too many connects";
        return { kind: "refused", result: "limited", status: 429, message, retryAfterMs };
      }
      if (sessions.isDraining) return unavailable("the gateway is stopping", NO_DECISION);
      return { ...handshake, kind: "admitted", client };
    } finally {
      sessions.settle();
    }
  };
}

/** Everything one connection takes, decided together. */
function connectBuckets(client: ClientIp, _sessionId: string): Bucket[] {
  return [{ policy: CONNECT_BY_IP, key: client.ip, doubtful: client.warning !== undefined }];
}

function unavailable(message: string, { retryAfterMs }: { retryAfterMs: number }): Admission {
  return { kind: "refused", result: "unavailable", status: 503, message, retryAfterMs };
}

async function withinDeadline(verdict: Promise<Verdict>): Promise<Verdict> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<Verdict>((resolve) => {
    timer = setTimeout(() => resolve(NO_DECISION), UPGRADE_TIMEOUT_MS);
  });
  return await Promise.race([verdict, expired]).finally(() => clearTimeout(timer));
}
