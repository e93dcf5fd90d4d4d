import { askIdentity } from "../../edge/probe/ask-identity.ts";
import { type Deployment, PUBLIC_SERVICES } from "../../edge/probe/deployment.ts";
import { stateFilesIn } from "../files/state-files.ts";
import type { RolloutConfig, RolloutServiceName } from "../settings/rollout-config.ts";
import { chooseWindow, type GoodWindow, type HopsByService } from "../state/good-window.ts";
import { EMPTY_JOURNAL, type Journal, readJournal } from "../state/journal.ts";
import type { Change } from "../state/rollout-state.ts";
import { hopsOfServices } from "./identity-judge.ts";

/** Where the rollout stands, for verbs that only read. */
export type Place = {
  journal: Journal;
  /** The hops of each service at this position; absent where never recorded. */
  expectedHops: HopsByService;
  applied: readonly Change[];
};

/** Reads the place from the journal. A damaged one counts as empty here; other verbs refuse it. */
export async function findPlace({ stateDir, edge }: RolloutConfig): Promise<Place> {
  const file = stateFilesIn(stateDir).journal;
  const journal = await readJournal(file).catch(() => EMPTY_JOURNAL);
  const applied = journal.state.touched;
  const isRaised = (service: RolloutServiceName) => applied.includes(service);
  const expectedHops = hopsOfServices(isRaised, edge.hops, journal.snapshots.baseline);
  return { journal, applied, expectedHops };
}

/** The hops of the public services: those of the position, otherwise those that they run with. */
export async function findHopsNow(
  deployment: Deployment,
  { expectedHops }: Place,
): Promise<HopsByService> {
  const hops = await Promise.all(
    PUBLIC_SERVICES.map(async (service) => {
      const known = expectedHops[service];
      if (known !== undefined) return [[service, known] as const];
      const answer = await askIdentity(deployment, service);
      return answer.kind === "identity" ? [[service, answer.hops] as const] : [];
    }),
  );
  return Object.fromEntries(hops.flat());
}

/**
 * Chooses the time to compare with. During a rollout it is the time before the rollout; otherwise
 * it ends now, or is the last good one if the last change is too recent.
 */
export function findBaseline(
  { journal }: Place,
  options: { nowMs: number; durationSeconds: number; hops: HopsByService },
): GoodWindow {
  const { state, changedAt, baselineWindow, lastGoodWindow } = journal;
  const isUnderWay = state.touched.length > 0 && state.position !== "done";
  if (isUnderWay && baselineWindow) return baselineWindow;
  const { nowMs, durationSeconds, hops } = options;
  const known = state.position === "done" ? [lastGoodWindow] : [baselineWindow, lastGoodWindow];
  return chooseWindow({ nowMs, durationMs: durationSeconds * 1_000, hops, changedAt, known });
}

/**
 * When the last change was made, in ms; -Infinity if never. Metrics from before say nothing about
 * what runs now.
 */
export function placeBeganMs({ journal }: Place): number {
  return journal.changedAt ? Date.parse(journal.changedAt) : Number.NEGATIVE_INFINITY;
}
