import type { Environment } from "../../../services/runtime/env.ts";
import { Secret } from "../../../services/runtime/secret.ts";
import type { Deployment } from "../../edge/probe/deployment.ts";
import { readEnvironmentFiles } from "../settings/environment-files.ts";
import type { RolloutConfig } from "../settings/rollout-config.ts";
import { type GoodWindow, windowToBaseline } from "../state/good-window.ts";
import type { Change } from "../state/rollout-state.ts";
import type { CanaryOptions } from "./run-canary.ts";
import type { PreflightOptions } from "./run-preflight.ts";

export type JudgeInput = {
  config: RolloutConfig;
  environment: Environment;
  expectedHops?: Deployment["expectedHops"];
  /** Changes already applied: these services must run as their files say. */
  applied?: readonly Change[];
  /** The time to compare with. */
  baseline?: GoodWindow | undefined;
  /** The time to compare with if `baseline` has no data. */
  fallback?: GoodWindow | undefined;
  signal: AbortSignal;
};

export function deploymentFrom({
  config,
  environment,
  expectedHops,
  signal,
}: JudgeInput): Deployment {
  const token = environment[config.operatorTokenEnv]?.trim();
  const { auth, limiter, gateway } = config.services;
  return {
    edgeUrl: config.edge.url,
    topology: config.edge.topology,
    front: {
      name: config.edge.front,
      hops: config.edge.hops,
      standsAlone: config.edge.standsAlone,
    },
    services: { auth: auth.url, limiter: limiter.url, gateway: gateway.url, ...config.doors },
    // During a rotation there are two tokens; the first is in use.
    operatorToken: token ? new Secret(token.split(",")[0]?.trim() ?? "") : undefined,
    expectedHops,
    signal,
  };
}

export async function preflightFrom(input: JudgeInput): Promise<PreflightOptions> {
  const { services, edge, directory, failOpen } = input.config;
  return {
    ...deploymentFrom(input),
    files: await readEnvironmentFiles(services),
    edgeConfigFiles: edge.config,
    directory,
    failOpen,
    prometheusUrl: input.config.prometheus?.url || undefined,
    applied: input.applied,
  };
}

export function canaryFrom(input: JudgeInput): CanaryOptions {
  const { canary, prometheus } = input.config;
  const password = input.environment[canary.account.passwordEnv];
  return {
    ...deploymentFrom(input),
    account: password ? { email: canary.account.email, password } : undefined,
    datasources: canary.datasources,
    prometheusUrl: prometheus?.url || undefined,
    durationSeconds: canary.durationSeconds,
    requestsMin: canary.minRequests,
    failOpen: input.config.failOpen,
    baseline: input.baseline && windowToBaseline(input.baseline),
    fallback: input.fallback && windowToBaseline(input.fallback),
    hopsBefore: input.baseline?.hops,
  };
}
