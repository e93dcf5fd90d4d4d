import type { Check } from "../verdict.ts";
import { checkClocks } from "./check-clocks.ts";
import { checkAnswers, checkFailureModes, checkFiles, checkHops } from "./check-configuration.ts";
import { checkDirectAccess } from "./check-direct-access.ts";
import { checkEdgeConfig } from "./check-edge-config.ts";
import { checkEdgeHeader } from "./check-edge-header.ts";
import { askLimiterInfo, checkBackend } from "./check-limiter.ts";
import { checkMigrations } from "./check-migrations.ts";
import { checkAgreement, checkWellKnownSecrets } from "./check-secrets.ts";
import { type Deployment, PUBLIC_SERVICES } from "./deployment.ts";
import { type EnvironmentFiles, gatherFacts } from "./gather-facts.ts";

export type PreflightOptions = Deployment & {
  /** The environment files of the services; what they say counts before what runs. */
  files: EnvironmentFiles;
  /** The edge's configuration files, for the linter. */
  edgeConfigFiles: readonly string[];
};

/** Compares how everything is configured, and shows what would go wrong before it does. */
export async function runPreflight(options: PreflightOptions): Promise<Check[]> {
  const facts = await gatherFacts(options, options.files);
  const limiter = await askLimiterInfo(options);
  const factsOf = (name: string) => facts.find((service) => service.name === name);
  return [
    checkAnswers(facts),
    ...checkFiles(facts),
    checkHops(facts, options.front?.name ?? options.topology),
    checkEdgeConfig(options.edgeConfigFiles, options),
    ...(await Promise.all(
      PUBLIC_SERVICES.map((name) => checkEdgeHeader(options, name, factsOf(name))),
    )),
    checkBackend(limiter, facts),
    checkFailureModes(facts),
    await checkWellKnownSecrets(options),
    ...checkAgreement(facts, options.operatorToken?.reveal()),
    ...(await checkMigrations(facts, limiter)),
    await checkClocks(options),
    await checkDirectAccess(options),
  ];
}
