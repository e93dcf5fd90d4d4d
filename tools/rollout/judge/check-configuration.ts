import { readConfig as readAuthConfig } from "../../../services/auth/config.ts";
import { readConfig as readGatewayConfig } from "../../../services/gateway/config.ts";
import { readConfig as readLimiterConfig } from "../../../services/limiter/config.ts";
import { ConfigError, type Environment } from "../../../services/runtime/env.ts";
import { fittingPresets } from "../../edge/presets.ts";
import type { Check } from "../verdict.ts";
import type { ServiceName } from "./deployment.ts";
import { doubtful, failed, passed } from "./finding.ts";
import type { ServiceFacts } from "./gather-facts.ts";

/** The very readers that the services start with: what they refuse, a start would refuse. */
const READERS: Readonly<Record<ServiceName, (environment: Environment) => object>> = {
  auth: readAuthConfig,
  limiter: readLimiterConfig,
  gateway: readGatewayConfig,
};

/** Whether each service says how it is configured. */
export function checkAnswers(facts: readonly ServiceFacts[]): Check {
  const subject = {
    id: "services.answer",
    title: "Services that tell the operator about themselves",
    why: "what does not answer cannot be compared with what it should be",
  };
  const silent = facts.flatMap(({ name, identity }) =>
    identity.kind === "unknown" ? [`${name}: ${identity.problem}`] : [],
  );
  if (silent.length === 0) {
    return passed(subject, facts.map(({ name }) => name).join(", "));
  }
  const mend = "start the service, correct its address, or set the operator's token";
  return doubtful(subject, silent.join("; "), mend);
}

/** Whether each environment file would be accepted at the next start, secrets included. */
export function checkFiles(facts: readonly ServiceFacts[]): Check[] {
  return facts.flatMap(({ name, file }) => {
    if (file === undefined) return [];
    const subject = {
      id: `config.${name}`,
      title: `Environment file of ${name}`,
      why: "a service refuses to start with it otherwise, in the middle of the rollout",
    };
    try {
      READERS[name](file);
      return [passed(subject, "valid")];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return [failed(subject, error.problems.join("; "), "correct these variables")];
    }
  });
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
  const wrong = facts.filter(({ hops, expectedHops }) => hops !== expectedHops);
  if (wrong.length === 0) return passed(subject, observed);
  const expected = wrong.map(({ name, expectedHops }) => `${name} ${expectedHops}`).join(", ");
  return failed(subject, observed, `topology ${topology} needs ${expected}${nameOthers(facts)}`);
}

/** Where all services agree on a number, it may be what is written in front of them that is wrong. */
function nameOthers(facts: readonly ServiceFacts[]): string {
  const [hops, ...others] = new Set(facts.map((service) => service.hops));
  if (hops === undefined || others.length > 0) return "";
  const names = fittingPresets({ hops, habit: "appends" });
  if (names.length === 0) return "";
  return `; where ${hops} is what align measures, edge.topology is ${names.join(" or ")}`;
}

function describeHops({ name, hops, identity }: ServiceFacts): string {
  const running = identity.kind === "identity" ? identity.hops : undefined;
  const isPending = running !== undefined && running !== hops;
  return `${name} ${hops ?? "unknown"}${isPending ? ` (runs with ${running})` : ""}`;
}

/** Whether every surface refuses when no decision can be had. */
export function checkFailureModes(facts: readonly ServiceFacts[]): Check {
  const subject = {
    id: "failure-mode.closed",
    title: "What each service does without a decision",
    why: "a rollout in degraded mode shows nothing about the limits",
  };
  const observed = facts.map(({ name, failureMode }) => `${name} ${failureMode ?? "unknown"}`);
  const open = facts.filter(({ failureMode }) => failureMode === "fail-open");
  if (open.length > 0) {
    return failed(subject, observed.join(", "), "end the degraded mode: set fail-closed");
  }
  if (facts.some(({ failureMode }) => failureMode === undefined)) {
    return doubtful(subject, observed.join(", "), "let the services answer");
  }
  return passed(subject, observed.join(", "));
}
