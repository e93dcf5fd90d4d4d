import type { BucketRequest } from "../../../clients/limiter/bucket-request.ts";
import type { LimiterClient } from "../../../clients/limiter/limiter-client.ts";
import { retryAfterHeader } from "../refusal.ts";
import { badField, type JsonAnswer, notFound } from "./internal-route.ts";

/** The only policies that the gateway may consume; whether there is one, the limiter says. */
const GATEWAY_POLICIES = /^realtime\..{1,100}$/s;
/** What the limiter takes for a key at most. */
const KEY_BYTES_MAX = 512;
/** What the limiter's message can hold. */
const COST_MAX = 2 ** 32 - 1;

/** Consumes one bucket on the gateway's behalf and says how that went in its own terms. */
export async function forwardConsume(
  limiter: LimiterClient,
  body: Readonly<Record<string, unknown>>,
): Promise<JsonAnswer> {
  const { policy, key, cost = 1, doubtful = false } = body;
  if (typeof policy !== "string" || policy === "") return badField("policy", "must be a name");
  if (!GATEWAY_POLICIES.test(policy)) return notForTheGateway;
  if (typeof key !== "string" || key === "" || Buffer.byteLength(key) > KEY_BYTES_MAX) {
    return badField("key", `must have 1 to ${KEY_BYTES_MAX} bytes`);
  }
  if (!isCost(cost)) return badField("cost", "must be a positive whole number");
  if (typeof doubtful !== "boolean") return badField("doubtful", "must be true or false");
  return await consume(limiter, { policy, key, cost, doubtful });
}

async function consume(limiter: LimiterClient, bucket: BucketRequest): Promise<JsonAnswer> {
  const verdict = await limiter.consume([bucket], { isForwarded: true });
  switch (verdict.kind) {
    case "allowed": {
      const reason = verdict.isFailOpen ? "backend_fail_open" : "allowed";
      const { remaining } = verdict;
      return { status: 200, body: { allowed: true, remaining, retryAfterMs: 0, reason } };
    }
    case "rejected": {
      const { retryAfterMs } = verdict;
      const body = { allowed: false, remaining: 0, retryAfterMs, reason: "limited" };
      return { status: 200, body };
    }
    case "no-decision": {
      const { retryAfterMs, refusal } = verdict;
      if (refusal?.code === "invalid_argument") return badField(refusal.field, refusal.problem);
      if (refusal?.code === "not_found") return notFound(refusal.field, refusal.problem);
      const body = { allowed: false, remaining: 0, retryAfterMs, reason: "backend_fail_closed" };
      return { status: 503, body, headers: retryAfterHeader(retryAfterMs) };
    }
  }
}

const notForTheGateway: JsonAnswer = {
  status: 403,
  body: { error: "permission_denied", message: "policy: only realtime.* may be consumed here" },
};

function isCost(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= COST_MAX;
}
