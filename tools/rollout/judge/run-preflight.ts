import { type Deployment, PUBLIC_SERVICES, type ServiceName } from "../../edge/probe/deployment.ts";
import type { EnvironmentFiles } from "../settings/environment-files.ts";
import type { Change } from "../state/rollout-state.ts";
import type { Check } from "../terms/verdict.ts";
import { checkClocks } from "./check-clocks.ts";
import { checkFailureModes, checkFiles, checkHops } from "./check-configuration.ts";
import { checkDirectAccess } from "./check-direct-access.ts";
import { checkEdgeConfig } from "./check-edge-config.ts";
import { checkEdgeHeader } from "./check-edge-header.ts";
import { askLimiterInfo, checkBackend } from "./check-limiter.ts";
import { checkMigrations } from "./check-migrations.ts";
import { checkNamedProxies } from "./check-named-proxies.ts";
import { checkPolicies } from "./check-policies.ts";
import { checkReplicas } from "./check-replicas.ts";
import { checkRunning } from "./check-running.ts";
import { checkAgreement, checkWellKnownSecrets } from "./check-secrets.ts";
import { gatherFacts } from "./gather-facts.ts";
import { checkAnswers, withOneCause } from "./one-cause.ts";
import { proveEdgeConfig } from "./prove-edge-config.ts";

export type PreflightOptions = Deployment & {
  /** The environment files of the services: what will run, once each is deployed. */
  files: EnvironmentFiles;
  /** The edge's configuration files, for the linter and the proof. */
  edgeConfigFiles: readonly string[];
  /** Where paths in the environment files begin; here unless it is said. */
  directory?: string | undefined;
  /** Where the metrics of all replicas are. */
  prometheusUrl?: string | undefined;
  /** The services that may be open. */
  failOpen?: readonly ServiceName[] | undefined;
  /** What was changed so far, and so must run as its file says; nothing unless it is said. */
  applied?: readonly Change[] | undefined;
};

/** Compares how everything is configured, and shows what would go wrong before it does. */
export async function runPreflight(options: PreflightOptions): Promise<Check[]> {
  const facts = await gatherFacts(options, options.files);
  const limiter = await askLimiterInfo(options);
  const { directory = ".", failOpen = [], applied = [] } = options;
  const upstreams = PUBLIC_SERVICES.map((name) => new URL(options.services[name]).host);
  const factsOf = (name: string) => facts.find((service) => service.name === name);
  return await withOneCause(options, [
    checkAnswers(facts, options),
    ...checkFiles(facts),
    ...(await checkPolicies(facts, { directory, urls: options.services })),
    ...(await checkRunning(facts, { directory, applied })),
    checkHops(facts, options.front?.name ?? options.topology),
    await proveEdgeConfig(
      checkEdgeConfig(options.edgeConfigFiles, options, upstreams),
      options.edgeConfigFiles,
      options.topology,
      upstreams,
    ),
    ...(await Promise.all(
      PUBLIC_SERVICES.map((name) => checkEdgeHeader(options, name, factsOf(name))),
    )),
    await checkNamedProxies(options, facts),
    checkBackend(limiter, facts),
    checkFailureModes(facts, failOpen),
    ...(await checkReplicas({ ...options, failOpen, prometheusUrl: options.prometheusUrl })),
    await checkWellKnownSecrets(options),
    ...checkAgreement(facts, options.operatorToken?.reveal()),
    ...(await checkMigrations(facts, limiter)),
    await checkClocks(options),
    await checkDirectAccess(options),
  ]);
}
