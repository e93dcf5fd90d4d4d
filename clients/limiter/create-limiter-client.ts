import { Code } from "@connectrpc/connect";
import { createBoundedWarning } from "../../services/runtime/bounded-warning.ts";
import type { Clock } from "../../services/runtime/clock.ts";
import { codeText } from "../../services/runtime/code-text.ts";
import type { Logger } from "../../services/runtime/log.ts";
import type { Secret } from "../../services/runtime/secret.ts";
import { createBackgroundCalls } from "./background-calls.ts";
import type { BucketRequest } from "./bucket-request.ts";
import { createOutcomeCounter } from "./events.ts";
import type { FailureConfig } from "./failure-config.ts";
import { createFailureMode, type FailureModeChange } from "./failure-mode.ts";
import { InProcessLimiter } from "./in-process-limiter.ts";
import type { LimiterClient } from "./limiter-client.ts";
import { createLimiterWay } from "./limiter-way.ts";
import { type NoDecisionCause, noDecisionCause } from "./no-decision.ts";
import { PromisedWaits } from "./promised-waits.ts";
import { readRefusal } from "./read-refusal.ts";
import type { StandIn } from "./stand-in.ts";
import { createTransport } from "./transport.ts";
import type { Verdict } from "./verdict.ts";

export type LimiterClientOptions = {
  /** The limiter's base URL. */
  url: string;
  token: Secret;
  surface: "api" | "realtime";
  /** The policies this service consumes, for its metrics. */
  policies: readonly string[];
  failure: FailureConfig;
  /** Told when fail-open begins and when it ends by itself. */
  onFailureModeChange?: (change: FailureModeChange) => void;
  /** The deadline of one decision. */
  timeoutMs: number;
  /** Where the limiter must keep its state; any place when unset. */
  requiredBackend?: string | undefined;
  standIn: StandIn;
  log: Logger;
  clock: Clock;
};

/** By then the breaker has probed again. */
const NO_DECISION_RETRY_AFTER_MS = 1_000;
const circuitOpen: NoDecisionCause = {
  code: Code.Unavailable,
  isOutage: true,
  isOverload: false,
  isAnswered: false,
};

/**
 * Creates the one way in which a service consumes limits: a fair queue, a deadline and a circuit
 * breaker around the call, and the failure mode for every form of no decision.
 */
export function createLimiterClient(options: LimiterClientOptions): LimiterClient {
  const { clock, log, surface, timeoutMs } = options;
  const { client, close } = createTransport(options);
  const failure = createFailureMode({
    ...{ surface, config: options.failure, log, clock },
    onChange: options.onFailureModeChange,
  });
  const inProcess = new InProcessLimiter(options.standIn);
  const waits = new PromisedWaits(options.standIn);
  const count = createOutcomeCounter(surface, options.policies);
  const warn = createBoundedWarning(log, clock);

  const way = createLimiterWay({
    ...{ client, timeoutMs, clock, requiredBackend: options.requiredBackend },
    policies: options.policies,
  });
  const background = createBackgroundCalls({ client, timeoutMs, surface, warn });

  /**
   * Decides in this process. Too much to do is no outage: whoever the limiter itself refused a
   * moment ago stays refused, so that nobody gains by making requests be shed.
   */
  const decideHere = (
    cause: NoDecisionCause,
    buckets: readonly BucketRequest[],
  ): Verdict | undefined => {
    const standing = cause.isOverload ? way.standingRejection(buckets) : undefined;
    if (standing !== undefined) return { kind: "rejected", ...standing, isFailOpen: true };
    return inProcess.consume(buckets, clock.nowMs());
  };

  const withoutDecision = (
    cause: NoDecisionCause,
    buckets: readonly BucketRequest[],
    alwaysClosed: boolean,
  ): Verdict => {
    const policy = buckets[0]?.policy ?? "";
    const code = codeText(cause.code);
    count(policy, "backend-error");
    const mayDecideHere = cause.isOutage && !alwaysClosed && failure.current() === "fail-open";
    const verdict = mayDecideHere ? decideHere(cause, buckets) : undefined;
    const ending = verdict === undefined ? "failing closed" : failure.describe();
    warn(
      `${code} ${ending}`,
      `Security limiter warning: backend consume failed (${code}); ${ending}.`,
      { surface },
    );
    count(policy, verdict === undefined ? "fail-closed" : "fail-open");
    return verdict ?? { kind: "no-decision", retryAfterMs: NO_DECISION_RETRY_AFTER_MS };
  };

  /** Of those refused together, each is told a wait that is true for it. */
  const withPromise = (verdict: Verdict, buckets: readonly BucketRequest[]): Verdict => {
    if (verdict.kind !== "rejected") return verdict;
    const rejecting = buckets.find(({ policy }) => policy === verdict.policy);
    if (rejecting === undefined) return verdict;
    const retryAfterMs = waits.promise(rejecting, verdict.retryAfterMs, clock.nowMs());
    return { ...verdict, retryAfterMs };
  };

  const consume: LimiterClient["consume"] = async (
    buckets,
    { alwaysClosed = false, isForwarded = false } = {},
  ) => {
    if (!way.admits(buckets)) return withoutDecision(circuitOpen, buckets, alwaysClosed);
    try {
      const answer = await way.ask(buckets);
      if (answer.kind === "allowed") count(buckets[0]?.policy ?? "", "allow");
      else count(answer.policy, "reject");
      return answer;
    } catch (error) {
      const refusal = isForwarded ? readRefusal(error) : undefined;
      if (refusal !== undefined) {
        warn("forwarded", "the limiter refused a request that was forwarded", { err: error });
        return { kind: "no-decision", retryAfterMs: NO_DECISION_RETRY_AFTER_MS, refusal };
      }
      const cause = noDecisionCause(error);
      if (!cause.isOutage) {
        log.error({ err: error, surface }, "the limiter refused or misunderstood a consume");
      }
      return withoutDecision(cause, buckets, alwaysClosed);
    }
  };

  return {
    consume: async (buckets, how) => withPromise(await consume(buckets, how), buckets),

    async refund(receipt, policies = []) {
      if (receipt === "") return false;
      return InProcessLimiter.issued(receipt)
        ? inProcess.refund(receipt, policies, clock.nowMs())
        : await background.refund(receipt, policies);
    },

    extend: background.extend,
    release: background.release,
    failureMode: failure.current,

    close() {
      failure.close();
      close();
    },
  };
}
