import type { JsonObject } from "@bufbuild/protobuf";
import type { BucketRequest } from "../../../clients/limiter/bucket-request.ts";
import type { LimiterClient } from "../../../clients/limiter/limiter-client.ts";
import {
  ConsumeForwardedRequestSchema,
  ConsumeForwardedResponseSchema,
} from "../../../gen/portcullis/auth/v1/gateway_pb.ts";
import { retryAfterHeader } from "../refusal.ts";
import { answerWith, badField, forbidden, type JsonAnswer, notFound } from "./json-answer.ts";
import { readRequest } from "./read-request.ts";

/** The only policies that the gateway may consume; the limiter knows which of them exist. */
const GATEWAY_POLICIES = /^realtime\..{1,100}$/s;
/** The longest key that the limiter takes. */
const KEY_BYTES_MAX = 512;

/** Consumes one bucket on behalf of the gateway. */
export async function forwardConsume(
  limiter: LimiterClient,
  body: JsonObject,
): Promise<JsonAnswer> {
  const { message, malformed } = readRequest(ConsumeForwardedRequestSchema, body);
  const { policy, key, cost = 1, doubtful = false } = message;
  if (policy === "") return badField("policy", "must be a name");
  if (!GATEWAY_POLICIES.test(policy)) {
    return forbidden("policy: only realtime.* may be consumed here");
  }
  if (key === "" || Buffer.byteLength(key) > KEY_BYTES_MAX) {
    return badField("key", `must have 1 to ${KEY_BYTES_MAX} bytes`);
  }
  if (cost === 0 || malformed.has("cost")) {
    return badField("cost", "must be a positive whole number");
  }
  if (malformed.has("doubtful")) return badField("doubtful", "must be true or false");
  return await consume(limiter, { policy, key, cost, doubtful });
}

async function consume(limiter: LimiterClient, bucket: BucketRequest): Promise<JsonAnswer> {
  const verdict = await limiter.consume([bucket], { isForwarded: true });
  switch (verdict.kind) {
    case "allowed": {
      const reason = verdict.isFailOpen ? "backend_fail_open" : "allowed";
      const { remaining } = verdict;
      return answerWith(ConsumeForwardedResponseSchema, { allowed: true, remaining, reason });
    }
    case "rejected": {
      const { retryAfterMs } = verdict;
      const rejection = { allowed: false, retryAfterMs, reason: "limited" };
      return answerWith(ConsumeForwardedResponseSchema, rejection);
    }
    case "no-decision": {
      const { retryAfterMs, refusal } = verdict;
      if (refusal?.code === "invalid_argument") return badField(refusal.field, refusal.problem);
      if (refusal?.code === "not_found") return notFound(refusal.field, refusal.problem);
      const closed = { allowed: false, retryAfterMs, reason: "backend_fail_closed" };
      const answer = answerWith(ConsumeForwardedResponseSchema, closed, 503);
      return { ...answer, headers: retryAfterHeader(retryAfterMs) };
    }
  }
}
