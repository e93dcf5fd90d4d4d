import { createBoundedWarning } from "../../services/runtime/bounded-warning.ts";
import type { Clock } from "../../services/runtime/clock.ts";
import type { Logger } from "../../services/runtime/log.ts";
import type { Secret } from "../../services/runtime/secret.ts";
import { createBackgroundCalls } from "./background-calls.ts";
import { createConsume } from "./consume.ts";
import { createOutcomeCounter } from "./events.ts";
import type { FailureConfig } from "./failure-config.ts";
import { createFailureMode, type FailureModeChange } from "./failure-mode.ts";
import { createFallback } from "./fallback.ts";
import { InProcessLimiter } from "./in-process-limiter.ts";
import type { LimiterClient } from "./limiter-client.ts";
import { createLimiterWay } from "./limiter-way.ts";
import { PromisedWaits } from "./promised-waits.ts";
import type { StandIn } from "./stand-in.ts";
import { createTransport } from "./transport.ts";

export type LimiterClientOptions = {
  /** The limiter's base URL. */
  url: string;
  token: Secret;
  surface: "api" | "realtime";
  /** The policies this service consumes, for its metrics. */
  policies: readonly string[];
  failure: FailureConfig;
  /** Called when fail-open begins and when it ends by itself. */
  onFailureModeChange?: (change: FailureModeChange) => void;
  /** The deadline of one decision. */
  timeoutMs: number;
  /** Where the limiter must keep its state; anywhere when unset. */
  requiredBackend?: string | undefined;
  standIn: StandIn;
  log: Logger;
  clock: Clock;
};

/**
 * Puts together how a service consumes limits: a fair queue, a deadline and a circuit breaker
 * around the call, and the failure mode for everything that is no decision.
 */
export function createLimiterClient(options: LimiterClientOptions): LimiterClient {
  const { clock, log, surface, timeoutMs } = options;
  const { client, close } = createTransport(options);
  const failure = createFailureMode({
    ...{ surface, config: options.failure, log, clock },
    onChange: options.onFailureModeChange,
  });
  const inProcess = new InProcessLimiter(options.standIn);
  const count = createOutcomeCounter(surface, options.policies);
  const warn = createBoundedWarning(log, clock);

  const way = createLimiterWay({
    ...{ client, timeoutMs, clock, requiredBackend: options.requiredBackend },
    policies: options.policies,
  });
  const background = createBackgroundCalls({ client, timeoutMs, surface, warn });

  const fallback = createFallback({ surface, failure, way, inProcess, count, warn, clock });
  const waits = new PromisedWaits(options.standIn);

  return {
    consume: createConsume({ surface, way, fallback, waits, count, warn, log, clock }),

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
