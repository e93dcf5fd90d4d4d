import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { createBoundedWarning } from "../../services/runtime/bounded-warning.ts";
import type { Clock } from "../../services/runtime/clock.ts";
import { codeText } from "../../services/runtime/code-text.ts";
import type { Logger } from "../../services/runtime/log.ts";
import type { Secret } from "../../services/runtime/secret.ts";
import { BackendCheck } from "./backend-check.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { Coalescer } from "./coalescer.ts";
import { createOutcomeCounter } from "./events.ts";
import type { FailureConfig } from "./failure-config.ts";
import { createFailureMode, type FailureModeChange } from "./failure-mode.ts";
import { InProcessLimiter } from "./in-process-limiter.ts";
import { type NoDecisionCause, noDecisionCause } from "./no-decision.ts";
import { readDecision } from "./read-decision.ts";
import type { StandIn } from "./stand-in.ts";
import { createTransport } from "./transport.ts";
import type { Bucket, LimiterClient, Verdict } from "./verdict.ts";

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

const circuitOpen: NoDecisionCause = { code: Code.Unavailable, isOutage: true, isOverload: false };

/**
 * Creates the one way in which a service consumes limits: a deadline and a circuit breaker around
 * the call, and the failure mode for every form of no decision.
 */
export function createLimiterClient(options: LimiterClientOptions): LimiterClient {
  const { clock, log, surface, timeoutMs, requiredBackend } = options;
  const { client, close } = createTransport(options);
  const coalescer = new Coalescer(client, timeoutMs);
  const breaker = new CircuitBreaker();
  const backend =
    requiredBackend === undefined
      ? undefined
      : new BackendCheck(client, requiredBackend, timeoutMs);
  const failure = createFailureMode({
    ...{ surface, config: options.failure, log, clock },
    onChange: options.onFailureModeChange,
  });
  const inProcess = new InProcessLimiter(options.standIn);
  const count = createOutcomeCounter(surface, options.policies);
  const warn = createBoundedWarning(log, clock);

  /** Asks the limiter; every way of not getting a decision is thrown. */
  const ask = async (buckets: readonly Bucket[]) => {
    // At the same time, so that the look at the backend takes none of the decision's.
    const [decision] = await Promise.all([
      coalescer.consume(buckets),
      backend?.ensure(clock.nowMs()),
    ]);
    const answer = readDecision(decision, buckets);
    if (answer === undefined) throw new ConnectError("an unreadable decision", Code.Internal);
    return answer;
  };

  const withoutDecision = (
    cause: NoDecisionCause,
    buckets: readonly Bucket[],
    alwaysClosed: boolean,
  ): Verdict => {
    const policy = buckets[0]?.policy ?? "";
    const code = codeText(cause.code);
    count(policy, "backend-error");
    const mayDecideHere = cause.isOutage && !alwaysClosed && failure.current() === "fail-open";
    const verdict = mayDecideHere ? inProcess.consume(buckets, clock.nowMs()) : undefined;
    const ending = verdict === undefined ? "failing closed" : failure.describe();
    warn(
      `${code} ${ending}`,
      `Security limiter warning: backend consume failed (${code}); ${ending}.`,
      { surface },
    );
    count(policy, verdict === undefined ? "fail-closed" : "fail-open");
    return verdict ?? { kind: "no-decision", retryAfterMs: NO_DECISION_RETRY_AFTER_MS };
  };

  return {
    async consume(buckets, { alwaysClosed = false } = {}) {
      if (!breaker.admits(clock.nowMs())) {
        return withoutDecision(circuitOpen, buckets, alwaysClosed);
      }
      try {
        const answer = await ask(buckets);
        breaker.succeeded();
        if (answer.kind === "allowed") count(buckets[0]?.policy ?? "", "allow");
        else count(answer.policy, "reject");
        return answer;
      } catch (error) {
        const cause = noDecisionCause(error);
        if (!cause.isOutage) {
          log.error({ err: error, surface }, "the limiter refused or misunderstood a consume");
        }
        if (!cause.isOutage || cause.isOverload) {
          breaker.succeeded();
        } else {
          breaker.failed(clock.nowMs());
          backend?.forget();
        }
        return withoutDecision(cause, buckets, alwaysClosed);
      }
    },

    async refund(receipt, policies = []) {
      if (receipt === "") return false;
      if (InProcessLimiter.issued(receipt)) {
        return inProcess.refund(receipt, policies, clock.nowMs());
      }
      try {
        const request = { receipt, policies: [...policies] };
        const { refunded } = await client.refund(request, { timeoutMs });
        return refunded;
      } catch (error) {
        warn("refund", "a refund could not be made; the charge stays", { err: error, surface });
        return false;
      }
    },

    async renew(leaseIds, ttlMs) {
      try {
        const request = { leaseIds: [...leaseIds], ttl: durationFromMs(ttlMs) };
        return (await client.renew(request, { timeoutMs })).lost;
      } catch (error) {
        warn("renew", "leases could not be renewed", { err: error, surface });
        return undefined;
      }
    },

    async release(leaseIds) {
      try {
        await client.release({ leaseIds: [...leaseIds] }, { timeoutMs });
        return true;
      } catch (error) {
        warn("release", "leases could not be released; they end by themselves", {
          err: error,
          surface,
        });
        return false;
      }
    },

    failureMode: failure.current,

    close() {
      failure.close();
      close();
    },
  };
}
