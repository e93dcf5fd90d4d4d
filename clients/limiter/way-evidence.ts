import type { BucketRequest } from "./bucket-request.ts";
import type { Answer } from "./consume-call.ts";
import { noDecisionCause } from "./no-decision.ts";

/** What one call to the limiter says about the way to it and to its database. */
export type Evidence =
  | { kind: "works" }
  /** With the buckets that may be the reason: those that all of its requests have in common. */
  | { kind: "fails"; buckets: readonly string[] };

/** The requests of a call, by their buckets. */
type Requests = ReadonlyArray<{ buckets: readonly BucketRequest[] }>;

/** No answer at all, for as long as a call may take. */
export const SILENCE: Evidence = { kind: "fails", buckets: [] };

/**
 * Judges a call that was answered. One decision, one refusal or one "too much to do" proves the
 * way; what fails beside it fails by itself.
 */
export function judgeAnswers(answers: readonly Answer[], requests: Requests): Evidence {
  const hasFailed = answers.every((answer) => "error" in answer && isOutage(answer.error));
  return hasFailed ? { kind: "fails", buckets: commonBuckets(requests) } : { kind: "works" };
}

/** Judges a call that failed as a whole: a refusal comes from somebody who is there. */
export function judgeFailure(error: unknown, requests: Requests): Evidence {
  if (!isOutage(error)) return { kind: "works" };
  const isAnswered = noDecisionCause(error).isAnswered;
  return { kind: "fails", buckets: isAnswered ? commonBuckets(requests) : [] };
}

/** Names a bucket, unlike any other. */
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
