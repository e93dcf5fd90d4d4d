import { readConfig as readAuthConfig } from "../../../services/auth/config.ts";
import { readConfig as readGatewayConfig } from "../../../services/gateway/config.ts";
import { readConfig as readLimiterConfig } from "../../../services/limiter/config.ts";
import { ConfigError, type Environment } from "../../../services/runtime/env.ts";
import { fittingPresets } from "../../edge/presets.ts";
import { doubtful, failed, passed } from "../../edge/probe/check.ts";
import type { ServiceName } from "../../edge/probe/deployment.ts";
import type { Check } from "../terms/verdict.ts";
import type { ServiceFacts } from "./gather-facts.ts";

/** The readers that the services use at start, so that both refuse the same files. */
const READERS: Readonly<Record<ServiceName, (environment: Environment) => object>> = {
  auth: readAuthConfig,
  limiter: readLimiterConfig,
  gateway: readGatewayConfig,
};

/** Whether each environment file would be accepted at the next start, secrets included. */
export function checkFiles(facts: readonly ServiceFacts[]): Check[] {
  return facts.flatMap(({ name, file }) => {
    if (file === undefined) return [];
    const subject = {
      id: `config.${name}`,
      title: `Environment file of ${name}`,
      why: "a service refuses to start with it otherwise, in the middle of the rollout",
    };
    const problems = findFileProblems(name, file);
    if (problems.length === 0) return [passed(subject, "valid")];
    return [failed(subject, problems.join("; "), "correct these variables")];
  });
}

/** Every problem for which a service would refuse to start with this file. */
export function findFileProblems(name: ServiceName, file: Environment): readonly string[] {
  try {
    READERS[name](file);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems;
  }
}

/** Whether all services trust the number of proxies that the topology has. */
export function checkHops(facts: readonly ServiceFacts[], topology: string): Check {
  const subject = {
    id: "hops.aligned",
    title: "Trusted hops of all services",
    why: "one too many lets clients choose their address, one too few puts all into one bucket",
  };
  const observed = facts.map(describeHops).join(", ");
  if (facts.some(({ hops }) => hops === undefined)) {
    return doubtful(subject, observed, "give the environment files, or let the services answer");
  }
  const wrong = facts.filter(runsWithWrongHops);
  if (wrong.length > 0) {
    const names = wrong.map(({ name, running }) => `${name} runs with ${running?.hops}`).join(", ");
    const needed = wrong.map(({ name, expectedHops, topologyHops }) => {
      return `${name} ${expectedHops ?? `at most ${topologyHops}`}`;
    });
    const mend = `${names}; topology ${topology} needs ${needed.join(", ")} there now`;
    return failed(subject, observed, mend);
  }
  const planned = facts.filter(plansWrongHops);
  if (planned.length > 0) {
    const expected = planned.map(({ name, topologyHops }) => `${name} ${topologyHops}`).join(", ");
    return failed(subject, observed, `topology ${topology} needs ${expected}${nameOthers(facts)}`);
  }
  if (disagree(facts)) {
    const mend = "they run with different numbers: restart those whose file says another one";
    return failed(subject, observed, mend);
  }
  return passed(subject, observed);
}

/** If all services agree on a number, edge.topology may be wrong: names the presets that fit. */
function nameOthers(facts: readonly ServiceFacts[]): string {
  const [hops, ...others] = new Set(facts.map((service) => service.hops));
  if (hops === undefined || others.length > 0) return "";
  const names = fittingPresets({ hops, habit: "appends" });
  if (names.length === 0) return "";
  return `; where ${hops} is what align measures, edge.topology is ${names.join(" or ")}`;
}

/** Outside a rollout the right number is unknown, but it never exceeds the topology's. */
function runsWithWrongHops({ running, expectedHops, topologyHops }: ServiceFacts): boolean {
  if (running === undefined) return false;
  return running.hops > topologyHops || running.hops !== (expectedHops ?? running.hops);
}

/** A file must hold the final number; without one, the running number must fit the stage. */
function plansWrongHops({ file, hops, expectedHops, topologyHops }: ServiceFacts): boolean {
  if (file !== undefined) return hops !== topologyHops;
  return hops !== (expectedHops ?? topologyHops);
}

/** During a rollout services may differ by plan; otherwise all must trust the same number. */
function disagree(facts: readonly ServiceFacts[]): boolean {
  if (facts.some(({ expectedHops }) => expectedHops !== undefined)) return false;
  return new Set(facts.flatMap(({ running }) => running?.hops ?? [])).size > 1;
}

function describeHops({ name, hops, running }: ServiceFacts): string {
  const isOther = running !== undefined && running.hops !== hops;
  return `${name} ${hops ?? "unknown"}${isOther ? ` (runs with ${running.hops})` : ""}`;
}

/**
 * Whether every service fails closed, now and once its file is deployed, except those that the
 * rollout may open (`failOpen`).
 */
export function checkFailureModes(
  facts: readonly ServiceFacts[],
  failOpen: readonly ServiceName[] = [],
): Check {
  const subject = {
    id: "failure-mode.closed",
    title: "What each service does without a decision",
    why: "a rollout in degraded mode shows nothing about the limits",
  };
  const observed = facts.map(describeMode).join(", ");
  const closed = facts.filter(({ name }) => !failOpen.includes(name));
  if (closed.some(({ running }) => running?.failureMode === "fail-open")) {
    return failed(subject, observed, "end the degraded mode: set fail-closed, and restart");
  }
  if (closed.some(({ plannedMode }) => plannedMode === "fail-open")) {
    const mend = "set fail-closed, or name the service in failOpen if this rollout is for it";
    return failed(subject, observed, mend);
  }
  if (facts.some(({ running, plannedMode }) => (running ?? plannedMode) === undefined)) {
    return doubtful(subject, observed, "let the services answer");
  }
  return passed(subject, observed);
}

function describeMode({ name, running, plannedMode }: ServiceFacts): string {
  if (running === undefined) return `${name} ${plannedMode ?? "unknown"}`;
  const isOther = plannedMode !== undefined && plannedMode !== running.failureMode;
  return `${name} ${running.failureMode}${isOther ? ` (its file says ${plannedMode})` : ""}`;
}
