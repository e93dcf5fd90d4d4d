import { HOPS } from "../../edge/edge-policy.ts";
import {
  ROLLOUT_SERVICES,
  type RolloutServiceName,
  type RolloutTopology,
} from "../settings/rollout-config.ts";
import type { HopsByService } from "../state/good-window.ts";
import {
  isOpen,
  releaseText,
  type Said,
  type ServiceSnapshot,
} from "../state/identity-snapshot.ts";
import { type Change, POSITIONS, type Position, type Stage } from "../state/rollout-state.ts";
import type { Check } from "../terms/verdict.ts";

/** The position from which on each service must trust the edge. */
const RAISED_AT: Readonly<Record<RolloutServiceName, Position>> = {
  limiter: "api",
  auth: "api",
  gateway: "gateway",
};

/**
 * Judges the effect of a stage: only the services of the stage changed, and each service trusts the
 * number of proxies that is right at this position.
 */
export function judgeStageIdentity(options: {
  stage: Stage;
  /** The position after a confirmation. */
  reached: Position;
  changes: readonly Change[];
  topology: RolloutTopology;
  /** How many entries the proxies write; the topology's number if absent. */
  hops?: number | undefined;
  /** What ran at the baseline. */
  baseline?: readonly ServiceSnapshot[] | undefined;
  before: readonly ServiceSnapshot[] | undefined;
  after: readonly ServiceSnapshot[];
}): Check[] {
  const { reached, topology, baseline } = options;
  const hopsThen = expectedHops(reached, topology, baseline, options.hops);
  return options.after.flatMap((snapshot) => {
    const { service } = snapshot;
    const hops = judgeHops(snapshot, {
      ...{ reached, topology, most: options.hops },
      hops: hopsThen[service],
    });
    if (options.changes.includes(service)) return [hops];
    const before = options.before?.find((other) => other.service === service);
    return [
      hops,
      judgeSame(`identity.untouched.${service}`, snapshot, before, "before this stage"),
    ];
  });
}

/** Judges whether a rollback restored the configuration of every service. */
export function judgeRestored(
  to: Position,
  before: readonly ServiceSnapshot[] | undefined,
  after: readonly ServiceSnapshot[],
): Check[] {
  return after.map((snapshot) => {
    const then = before?.find((other) => other.service === snapshot.service);
    return judgeSame(`identity.restored.${snapshot.service}`, snapshot, then, `at ${to}`);
  });
}

/** How many proxies each service should trust at a position; absent if unknown. */
export function expectedHops(
  reached: Position,
  topology: RolloutTopology,
  baseline: readonly ServiceSnapshot[] | undefined,
  raisedTo: number = HOPS[topology],
): HopsByService {
  return hopsOfServices((service) => isRaised(service, reached), raisedTo, baseline);
}

/** The hops of each service: raised, or those of the baseline; absent if that was not recorded. */
export function hopsOfServices(
  isRaisedNow: (service: RolloutServiceName) => boolean,
  raisedTo: number,
  baseline: readonly ServiceSnapshot[] | undefined,
): HopsByService {
  const entries = ROLLOUT_SERVICES.flatMap((service) => {
    const before = baseline?.find((snapshot) => snapshot.service === service)?.said?.hops;
    const hops = isRaisedNow(service) ? raisedTo : before;
    return hops === undefined ? [] : [[service, hops] as const];
  });
  return Object.fromEntries(entries);
}

function isRaised(service: RolloutServiceName, reached: Position): boolean {
  return POSITIONS.indexOf(reached) >= POSITIONS.indexOf(RAISED_AT[service]);
}

function judgeHops(
  { service, said, problem }: ServiceSnapshot,
  at: {
    reached: Position;
    topology: RolloutTopology;
    hops: number | undefined;
    most?: number | undefined;
  },
): Check {
  const { topology, most = HOPS[topology] } = at;
  const raised = isRaised(service, at.reached);
  const common = {
    id: `identity.hops.${service}`,
    title: `Trusted hops of ${service}`,
    why: "One hop too few puts everybody in one bucket; one too many lets clients choose theirs.",
  };
  if (said === undefined) return unanswered(common, service, problem);
  // Before its turn a service keeps its baseline number. If none was recorded, any number up to the
  // count of proxies is accepted, since no client can exploit it.
  const expected = at.hops ?? Math.min(said.hops, most);
  const isRight = said.hops === expected;
  return {
    ...common,
    verdict: isRight ? "pass" : "fail",
    observed: isRight
      ? `${said.hops}${raised ? "" : ", not raised yet"}`
      : raised
        ? `${said.hops}, but the topology ${topology} needs ${expected}`
        : `${said.hops} instead of ${expected}, before its turn`,
    mend: isRight ? "" : `Roll back, set the hops of ${service} to ${expected}, and stage again.`,
  };
}

function judgeSame(
  id: string,
  { service, said, problem }: ServiceSnapshot,
  before: ServiceSnapshot | undefined,
  when: string,
): Check {
  const common = {
    id,
    title: `Configuration of ${service}, compared with ${when}`,
    why: "A step that changes more than it says cannot be judged, nor taken back exactly.",
  };
  if (said === undefined) return unanswered(common, service, problem);
  if (before?.said === undefined) {
    return {
      ...common,
      verdict: "inconclusive",
      observed: `hash ${said.configHash}, with nothing to compare it to`,
      mend: `Make ${service} answer WhoIsCalling before a stage begins.`,
    };
  }
  // A rollback never restores a degraded mode: it is enough that the mode has ended.
  if (isOpen(before)) return judgeClosedAgain(common, service, said.failureMode);
  const differences = differencesOf(said, before.said);
  const isSame = differences.length === 0;
  const release = releaseText(said);
  return {
    ...common,
    verdict: isSame ? "pass" : "fail",
    observed: isSame
      ? `unchanged, hash ${said.configHash}${release ? `, release ${release}` : ""}`
      : differences.join(", "),
    mend: isSame ? "" : `Find out who changed ${service}, and put it back as it was.`,
  };
}

function judgeClosedAgain(
  common: Pick<Check, "id" | "title" | "why">,
  service: RolloutServiceName,
  failureMode: string,
): Check {
  const isClosed = failureMode !== "fail-open";
  return {
    ...common,
    verdict: isClosed ? "pass" : "fail",
    observed: isClosed ? `${failureMode}; it was open then` : "still fail-open, as it was then",
    mend: isClosed ? "" : `End the degraded mode of ${service}.`,
  };
}

/** The differences as text, the hash first. */
function differencesOf(now: Said, then: Said): string[] {
  const differ = (name: string, here: unknown, there: unknown) =>
    here === there ? [] : [`${name} ${here ?? "unknown"} instead of ${there ?? "unknown"}`];
  return [
    ...differ("hash", now.configHash, then.configHash),
    ...differ("hops", now.hops, then.hops),
    ...differ("release", releaseText(now), releaseText(then)),
    ...differ("failure mode", now.failureMode, then.failureMode),
    ...differ("backend", now.backend, then.backend),
    ...differ("policies", now.policiesHash, then.policiesHash),
  ];
}

function unanswered(
  common: Pick<Check, "id" | "title" | "why">,
  service: RolloutServiceName,
  problem: string,
): Check {
  return {
    ...common,
    verdict: "fail",
    observed: `no answer: ${problem}`,
    mend: `See why ${service} does not answer at its direct address, and whether the token is right.`,
  };
}
