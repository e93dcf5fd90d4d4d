import type { BucketRequest } from "./bucket-request.ts";
import type { Answer } from "./consume-call.ts";
import { noDecisionCause } from "./no-decision.ts";

/** What one call shows about the way to the limiter and its database. */
export type Evidence =
  | { kind: "works" }
  /** `buckets` may be the cause: all requests of the call have them in common. */
  | { kind: "fails"; buckets: readonly string[] };

/** The requests of a call, by their buckets. */
type Requests = ReadonlyArray<{ buckets: readonly BucketRequest[] }>;

/** The limiter did not answer within the deadline of a call. */
export const SILENCE: Evidence = { kind: "fails", buckets: [] };

/**
 * Judges a call that was answered. One decision, refusal or overload proves that the way works; the
 * other requests of the call then failed for reasons of their own.
 */
export function judgeAnswers(answers: readonly Answer[], requests: Requests): Evidence {
  const hasFailed = answers.every((answer) => "error" in answer && isOutage(answer.error));
  return hasFailed ? { kind: "fails", buckets: commonBuckets(requests) } : { kind: "works" };
}

/** Judges a call that failed as a whole. A refusal shows that the limiter is there. */
export function judgeFailure(error: unknown, requests: Requests): Evidence {
  if (!isOutage(error)) return { kind: "works" };
  const isAnswered = noDecisionCause(error).isAnswered;
  return { kind: "fails", buckets: isAnswered ? commonBuckets(requests) : [] };
}

/** The unique name of a bucket. */
export function bucketName({ policy, key, doubtful = false }: BucketRequest): string {
  return `${policy}\n${doubtful}\n${key}`;
}

export function bucketNames(buckets: readonly BucketRequest[]): string[] {
  return buckets.map(bucketName);
}

function isOutage(error: unknown): boolean {
  const cause = noDecisionCause(error);
  return cause.isOutage && !cause.isOverload;
}

function commonBuckets([first, ...others]: Requests): readonly string[] {
  let common = bucketNames(first?.buckets ?? []);
  for (const { buckets } of others) {
    if (common.length === 0) return common;
    const names = new Set(bucketNames(buckets));
    common = common.filter((name) => names.has(name));
  }
  return common;
}
