import { type Client, Code, ConnectError } from "@connectrpc/connect";
import type { LimiterService } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import type { Clock } from "../../services/runtime/clock.ts";
import { BackendCheck } from "./backend-check.ts";
import type { BucketRequest } from "./bucket-request.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { Coalescer } from "./coalescer.ts";
import { type Answer, readDecision } from "./read-decision.ts";
import { RecentRejections } from "./recent-rejections.ts";
import { bucketName, bucketNames, type Evidence } from "./way-evidence.ts";
import { createShares, shareName } from "./work-class.ts";

/** The way to the limiter: whether a request may be sent, and its answer. */
export type LimiterWay = {
  /** Whether a request may be sent. While the breaker is open, a true makes it the probe. */
  admits(buckets: readonly BucketRequest[]): boolean;
  /** Asks the limiter; throws when there is no decision, for whatever reason. */
  ask(buckets: readonly BucketRequest[]): Promise<Answer>;
  /** The recent rejection among these buckets that holds for longest, if any still holds. */
  standingRejection(
    buckets: readonly BucketRequest[],
  ): { policy: string; retryAfterMs: number } | undefined;
};

/** Puts the queue, the circuit breaker and the backend check in front of the calls. */
export function createLimiterWay(options: {
  client: Client<typeof LimiterService>;
  policies: readonly string[];
  timeoutMs: number;
  /** Where the limiter must keep its state; anywhere when unset. */
  requiredBackend: string | undefined;
  clock: Clock;
}): LimiterWay {
  const { client, timeoutMs, requiredBackend, clock } = options;
  const breaker = new CircuitBreaker();
  const rejections = new RecentRejections();
  const shareOf = createShares(options.policies);
  const backend =
    requiredBackend === undefined
      ? undefined
      : new BackendCheck(client, requiredBackend, timeoutMs);
  const coalescer = new Coalescer({
    ...{ client, timeoutMs, shareOf, onEvidence: weigh },
    isRejected: (share) =>
      !rejections.isEmpty && rejections.leftMs(shareName(share), clock.nowMs()) > 0,
  });

  function weigh(evidence: Evidence): void {
    if (evidence.kind === "works") {
      breaker.succeeded();
      return;
    }
    breaker.failed(clock.nowMs(), evidence.buckets);
    backend?.forget();
    if (breaker.isOpenForAll) coalescer.refuseWaiting();
  }

  const remember = (buckets: readonly BucketRequest[], answer: Answer) => {
    if (answer.kind === "allowed") {
      if (!rejections.isEmpty) rejections.forget(shareName(shareOf(buckets)));
      return;
    }
    const rejecting = buckets.find(({ policy }) => policy === answer.policy);
    if (rejecting === undefined) return;
    const nowMs = clock.nowMs();
    rejections.add(bucketName(rejecting), nowMs, answer.retryAfterMs);
    // The rejection of another key says nothing about the key whose share the request takes.
    if (rejecting.key !== buckets[0]?.key) return;
    rejections.add(shareName(shareOf(buckets)), nowMs, answer.retryAfterMs);
  };

  return {
    admits: (buckets) => breaker.admits(clock.nowMs(), () => bucketNames(buckets)),

    async ask(buckets) {
      // In parallel, so that the backend check takes none of the decision's time.
      const [decision] = await Promise.all([
        coalescer.consume(buckets),
        backend?.ensure(clock.nowMs()),
      ]);
      const answer = readDecision(decision, buckets);
      if (answer === undefined) throw new ConnectError("an unreadable decision", Code.Internal);
      remember(buckets, answer);
      return answer;
    },

    standingRejection(buckets) {
      const nowMs = clock.nowMs();
      const standing = buckets.map((bucket) => ({
        policy: bucket.policy,
        retryAfterMs: rejections.leftMs(bucketName(bucket), nowMs),
      }));
      const [longest] = standing.sort((a, b) => b.retryAfterMs - a.retryAfterMs);
      return longest !== undefined && longest.retryAfterMs > 0 ? longest : undefined;
    },
  };
}
