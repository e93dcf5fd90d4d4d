import { metrics } from "@opentelemetry/api";
import type { Decision, Demand } from "./decisions/decision.ts";
import { WouldBeRejections } from "./decisions/would-be-rejections.ts";
import type { Policies } from "./rules/parse-policies.ts";

export type Events = ReturnType<typeof createEvents>;

/** What can become of a bucket that was asked for. */
export type BucketOutcome = "allow" | "reject" | "no-decision";

const OUTCOMES: readonly BucketOutcome[] = ["allow", "reject", "no-decision"];
const FLUSH_SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000];
/** Seconds, as the semantic conventions advise for durations. */
const FLUSH_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1];

/** The metrics of the limiter, one function an event. Never a key in a label. */
export function createEvents(policies: Policies, queueDepth: () => number) {
  const meter = metrics.getMeter("portcullis.limiter");
  // Counted in plain numbers and read at the scrape: this is the hottest path there is.
  const counts = new Map(
    [...policies.values()].map(({ name, mode }) => [
      name,
      { mode, allow: 0, reject: 0, "no-decision": 0 },
    ]),
  );
  meter
    .createObservableCounter("portcullis.limiter.decisions", {
      description: "Buckets decided, by policy, its mode and the decision",
    })
    .addCallback((result) => {
      for (const [policy, count] of counts) {
        for (const decision of OUTCOMES) {
          result.observe(count[decision], { policy, mode: count.mode, decision });
        }
      }
    });
  meter
    .createObservableGauge("portcullis.limiter.queue.depth", {
      description: "Requests that wait for their decision",
    })
    .addCallback((result) => result.observe(queueDepth()));
  const flushSize = meter.createHistogram("portcullis.limiter.flush.size", {
    description: "Requests decided by one flush",
    advice: { explicitBucketBoundaries: FLUSH_SIZES },
  });
  const flushDuration = meter.createHistogram("portcullis.limiter.flush.duration", {
    description: "Duration of a flush, from taking its requests to its commit",
    unit: "s",
    advice: { explicitBucketBoundaries: FLUSH_SECONDS },
  });
  const conflicts = meter.createCounter("portcullis.limiter.conflicts", {
    description: "Flushes that could not be decided at once",
  });
  const shed = meter.createCounter("portcullis.limiter.shed", {
    description: "Requests refused undecided because too many were waiting",
  });
  const kinds = [
    "split",
    "missing-rows",
    "lock-timeout",
    "held-rows",
    "not-as-known",
    "claimed-meanwhile",
  ] as const;
  for (const kind of kinds) conflicts.add(0, { kind });
  shed.add(0);

  const wouldBe = new WouldBeRejections();

  return {
    /** Tells rejections in the shadow apart from those of leases that ask again. */
    isNewRejection({ target, lease }: Demand): boolean {
      if (lease === undefined || target.policy.mode !== "shadow") return true;
      return wouldBe.isFirst(target.policy.name, lease, performance.now());
    },
    decided(policy: string, outcome: BucketOutcome): void {
      const count = counts.get(policy);
      if (count !== undefined) count[outcome]++;
    },
    flushed(size: number, durationMs: number): void {
      flushSize.record(size);
      flushDuration.record(durationMs / 1_000);
    },
    conflicted(kind: (typeof kinds)[number]): void {
      conflicts.add(1, { kind });
    },
    shed(): void {
      shed.add(1);
    },
  };
}

/** Counts what became of each bucket of a request; one that would have let it pass took nothing. */
export function countDecision(
  events: Events,
  demands: readonly Demand[],
  decision: Decision,
): void {
  for (let index = 0; index < demands.length; index++) {
    const demand = demands[index];
    if (demand === undefined) continue;
    const { name } = demand.target.policy;
    if ((decision.buckets[index]?.retryAfterMs ?? 0) > 0) {
      if (events.isNewRejection(demand)) events.decided(name, "reject");
    } else if (decision.allowed) events.decided(name, "allow");
  }
}
