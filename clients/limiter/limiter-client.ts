import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { BUILT_IN_POLICIES_FILE, readPoliciesFile } from "../../services/limiter/policies-file.ts";
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
  let inProcess: Promise<InProcessLimiter> | undefined;
  const count = createOutcomeCounter(surface, options.policies);
  const warn = createBoundedWarning(log, clock);

  /** Asks the limiter; every way of not getting a decision is thrown. */
  const ask = async (buckets: readonly Bucket[]) => {
    await backend?.ensure(clock.nowMs());
    const answer = readDecision(await coalescer.consume(buckets), buckets);
    if (answer === undefined) throw new ConnectError("an unreadable decision", Code.Internal);
    return answer;
  };

  /** Stands in for the limiter while failing open; undefined when it must not, or cannot. */
  const decideHere = async (cause: NoDecisionCause, buckets: readonly Bucket[]) => {
    if (!cause.isOutage || failure.current() !== "fail-open") return undefined;
    inProcess ??= readPoliciesFile(BUILT_IN_POLICIES_FILE).then((p) => new InProcessLimiter(p));
    return (await inProcess).consume(buckets, clock.nowMs());
  };

  const withoutDecision = async (
    cause: NoDecisionCause,
    buckets: readonly Bucket[],
  ): Promise<Verdict> => {
    const policy = buckets[0]?.policy ?? "";
    const code = codeText(cause.code);
    count(policy, "backend-error");
    const verdict = await decideHere(cause, buckets);
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
    async consume(buckets) {
      if (!breaker.admits(clock.nowMs())) return await withoutDecision(circuitOpen, buckets);
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
        return await withoutDecision(cause, buckets);
      }
    },

    async refund(receipt, policies = []) {
      if (receipt === "") return false;
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
      } catch (error) {
        warn("release", "leases could not be released; they end by themselves", {
          err: error,
          surface,
        });
      }
    },

    failureMode: failure.current,

    close() {
      failure.close();
      close();
    },
  };
}
