import { setTimeout as sleep } from "node:timers/promises";
import { doubtful } from "../../edge/probe/check.ts";
import { type Deployment, hopsOf, type ServiceName } from "../../edge/probe/deployment.ts";
import type { HopsByService } from "../state/good-window.ts";
import { type Check, overall, type Verdict } from "../terms/verdict.ts";
import {
  type AgreementSample,
  judgeAgreement,
  sampleAgreement,
} from "./check-identity-agreement.ts";
import { type JourneyOptions, type StepResult, takeJourney } from "./journey.ts";
import { judgeJourneys } from "./judge-journeys.ts";
import { type Baseline, measureGates, type Tracks } from "./measure-gates.ts";
import { withOneCause } from "./one-cause.ts";
import { watchlist } from "./watchlist.ts";

export type CanaryOptions = Deployment & {
  account: JourneyOptions["account"] | undefined;
  datasources: JourneyOptions["datasources"];
  /** Without it the gates are inconclusive. */
  prometheusUrl: string | undefined;
  durationSeconds: number;
  /** With fewer requests in the duration, the gates are inconclusive. */
  requestsMin: number;
  /** The time to compare with; by default one of the same length right before the canary. */
  baseline?: Baseline | undefined;
  /** The time to compare with if `baseline` has no data. */
  fallback?: Baseline | undefined;
  /** The hops that services trusted in the baseline. */
  hopsBefore?: HopsByService | undefined;
  /** The services that may fail open. */
  failOpen?: readonly ServiceName[] | undefined;
  /** Compares two tracks over the same time instead of two times. */
  tracks?: Tracks | undefined;
  /** Seconds between journeys, and between measurements of the gates. */
  intervalSeconds?: number;
  /** Reports progress, and when the canary ends. */
  onProgress?: ((text: string, endsAtMs?: number) => void) | undefined;
};

/** Often enough that a failure stops a rollout early, rare enough for the account's limits. */
const INTERVAL_SECONDS = 30;
/** A short canary would otherwise compare with the moments in which services restarted. */
const BASELINE_SECONDS_MIN = 60;

/**
 * Watches a deployment for `durationSeconds`: journeys through the edge, the address that services
 * derive, and the gates. Ends at the first failure; passes only after the whole time.
 */
export async function runCanary(options: CanaryOptions): Promise<Check[]> {
  const startedAt = new Date();
  const endsMs = startedAt.getTime() + options.durationSeconds * 1_000;
  const intervalMs = (options.intervalSeconds ?? INTERVAL_SECONDS) * 1_000;
  const baseline = options.baseline ?? {
    endsAt: startedAt,
    windowSeconds: Math.max(options.durationSeconds, BASELINE_SECONDS_MIN),
  };
  const journeys: StepResult[][] = [];
  const samples: AgreementSample[] = [];
  options.onProgress?.("canary: the first journey", endsMs);
  for (;;) {
    if (options.account !== undefined) {
      journeys.push(await takeJourney({ ...options, account: options.account }));
    }
    samples.push(await sampleAgreement(options));
    const checks = [
      ...(options.account === undefined ? [noAccount] : judgeJourneys(journeys)),
      judgeAgreement(samples),
      ...(await judgeGates(options, { startedAt, baseline })),
    ];
    const leftMs = endsMs - Date.now();
    options.onProgress?.(progressText(checks), endsMs);
    if (leftMs <= 0 || overall(checks) === "fail" || options.signal?.aborted) {
      const all = leftMs <= 0 ? checks : [...checks, ...interrupted(options.signal)];
      return await withOneCause(options, all);
    }
    await sleep(Math.min(intervalMs, leftMs), undefined, { signal: options.signal }).catch(
      () => undefined,
    );
  }
}

const noAccount = doubtful(
  {
    id: "canary.account",
    title: "The canary's account",
    why: "only a signed-in user shows that users can sign in",
  },
  "no password is set",
  "set the environment variable that canary.account.passwordEnv names",
);

function interrupted(signal: AbortSignal | undefined): Check[] {
  if (!signal?.aborted) return [];
  const subject = {
    id: "canary.duration",
    title: "The canary's duration",
    why: "slow harm needs time to show",
  };
  return [doubtful(subject, "interrupted before its end", "run the canary again")];
}

async function judgeGates(
  options: CanaryOptions,
  { startedAt, baseline }: { startedAt: Date; baseline: Baseline },
): Promise<Check[]> {
  const { prometheusUrl, topology, expectedHops, hopsBefore, failOpen } = options;
  const { requestsMin, signal } = options;
  if (prometheusUrl === undefined) return [noPrometheus];
  const at = new Date();
  const elapsedSeconds = Math.ceil((at.getTime() - startedAt.getTime()) / 1_000);
  const findings = await measureGates({
    prometheusUrl,
    gates: watchlist({
      hops: hopsOf(options),
      hopsNow: expectedHops,
      hopsBefore,
      topology,
      failOpen,
    }),
    windowSeconds: Math.max(1, elapsedSeconds),
    at,
    baseline,
    fallback: options.fallback,
    tracks: options.tracks,
    requestsMin,
    signal,
  });
  return findings.map(({ check }) => check);
}

const noPrometheus = doubtful(
  { id: "gate.prometheus", title: "The metrics", why: "a canary without metrics sees only itself" },
  "no Prometheus is configured",
  "set prometheus.url",
);

function progressText(checks: readonly Check[]): string {
  const idsOf = (wanted: Verdict) =>
    checks.filter(({ verdict }) => verdict === wanted).map(({ id }) => id);
  const failed = idsOf("fail");
  if (failed.length > 0) return `canary: failed: ${failed.join(", ")}`;
  const unknown = idsOf("inconclusive").length;
  const rest = unknown === 0 ? "every check passes" : `${unknown} cannot tell yet`;
  return `canary: nothing has failed, ${rest}`;
}
