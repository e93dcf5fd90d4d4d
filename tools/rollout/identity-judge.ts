import { HOPS } from "../edge/edge-policy.ts";
import type { ServiceSnapshot } from "./identity-snapshot.ts";
import {
  ROLLOUT_SERVICES,
  type RolloutServiceName,
  type RolloutTopology,
} from "./rollout-config.ts";
import { type Change, POSITIONS, type Position, type Stage } from "./rollout-state.ts";
import type { Check } from "./verdict.ts";

/** From which position on a service must trust the edge. */
const RAISED_AT: Readonly<Record<RolloutServiceName, Position>> = {
  limiter: "api",
  auth: "api",
  gateway: "gateway",
};

/**
 * Judges what a stage did to the services: exactly those of the stage were changed, and each trusts
 * exactly as many proxies as there are in front of it at this point.
 */
export function judgeStageIdentity(options: {
  stage: Stage;
  /** Where a confirmation would lead. */
  reached: Position;
  changes: readonly Change[];
  topology: RolloutTopology;
  /** How many entries the proxies write; what fits the topology unless it says otherwise. */
  hops?: number | undefined;
  before: readonly ServiceSnapshot[] | undefined;
  after: readonly ServiceSnapshot[];
}): Check[] {
  return options.after.flatMap((snapshot) => {
    const { service } = snapshot;
    const hops = judgeHops(snapshot, options);
    if (options.changes.includes(service)) return [hops];
    const before = options.before?.find((other) => other.service === service);
    return [
      hops,
      judgeSame(`identity.untouched.${service}`, snapshot, before, "before this stage"),
    ];
  });
}

/** Judges whether going back led exactly back: each service is configured as it was then. */
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

/** How many proxies each service shall trust at a position; undefined while nobody knows. */
export function expectedHops(
  reached: Position,
  topology: RolloutTopology,
  baseline: readonly ServiceSnapshot[] | undefined,
  raisedTo: number = HOPS[topology],
): Partial<Record<RolloutServiceName, number>> {
  const entries = ROLLOUT_SERVICES.flatMap((service) => {
    const before = baseline?.find((snapshot) => snapshot.service === service)?.said?.hops;
    const hops = isRaised(service, reached) ? raisedTo : before;
    return hops === undefined ? [] : [[service, hops] as const];
  });
  return Object.fromEntries(entries);
}

function isRaised(service: RolloutServiceName, reached: Position): boolean {
  return POSITIONS.indexOf(reached) >= POSITIONS.indexOf(RAISED_AT[service]);
}

function judgeHops(
  snapshot: ServiceSnapshot,
  {
    reached,
    topology,
    hops = HOPS[topology],
  }: { reached: Position; topology: RolloutTopology; hops?: number | undefined },
): Check {
  const { service, said, problem } = snapshot;
  const raised = isRaised(service, reached);
  const common = {
    id: `identity.hops.${service}`,
    title: `Trusted hops of ${service}`,
    why: "One hop too few puts everybody in one bucket; one too many lets clients choose theirs.",
  };
  if (said === undefined) return unanswered(common, service, problem);
  // Before its turn a service keeps the number it had at baseline, which is for it to say.
  const expected = raised ? hops : said.hops;
  const isRight = said.hops === expected;
  return {
    ...common,
    verdict: isRight ? "pass" : "fail",
    observed: isRight
      ? `${said.hops}${raised ? "" : ", not raised yet"}`
      : `${said.hops}, but the topology ${topology} needs ${expected}`,
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
  const isSame = before.said.configHash === said.configHash;
  return {
    ...common,
    verdict: isSame ? "pass" : "fail",
    observed: isSame
      ? `unchanged, hash ${said.configHash}`
      : `hash ${said.configHash} instead of ${before.said.configHash}, hops ${said.hops} instead of ${before.said.hops}`,
    mend: isSame ? "" : `Find out who changed ${service}, and put it back as it was.`,
  };
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
