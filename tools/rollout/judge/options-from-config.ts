import { readFile } from "node:fs/promises";
import { ConfigError, type Environment } from "../../../services/runtime/env.ts";
import { Secret } from "../../../services/runtime/secret.ts";
import { readEnvText } from "../redact.ts";
import { ROLLOUT_SERVICES, type RolloutConfig, type RolloutService } from "../rollout-config.ts";
import type { Deployment } from "./deployment.ts";
import type { EnvironmentFiles } from "./gather-facts.ts";
import type { CanaryOptions } from "./run-canary.ts";
import type { PreflightOptions } from "./run-preflight.ts";

export type JudgeInput = {
  config: RolloutConfig;
  environment: Environment;
  expectedHops?: Deployment["expectedHops"];
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
    // While it is rotated there are two; the first one is in use.
    operatorToken: token ? new Secret(token.split(",")[0]?.trim() ?? "") : undefined,
    expectedHops,
    signal,
  };
}

export async function preflightFrom(input: JudgeInput): Promise<PreflightOptions> {
  const { services, edge } = input.config;
  return {
    ...deploymentFrom(input),
    files: await readEnvironmentFiles(services),
    edgeConfigFiles: edge.config,
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
  };
}

async function readEnvironmentFiles(
  services: Readonly<Record<keyof EnvironmentFiles, RolloutService>>,
): Promise<EnvironmentFiles> {
  const files = await Promise.all(
    ROLLOUT_SERVICES.map(async (name) => {
      const file = services[name].envFile;
      if (file === undefined) return [];
      const text = await readFile(file, "utf8").catch((error: unknown) => {
        const problem = error instanceof Error ? error.message : String(error);
        throw new ConfigError([`services.${name}.envFile: ${problem}`]);
      });
      return [[name, readEnvText(text)] as const];
    }),
  );
  return Object.fromEntries(files.flat());
}
