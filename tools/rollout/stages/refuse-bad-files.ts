import { ConfigError } from "../../../services/runtime/env.ts";
import { findFileProblems } from "../judge/check-configuration.ts";
import { checkPolicies, POLICIES_VARIABLE } from "../judge/check-policies.ts";
import { plannedMode } from "../judge/gather-facts.ts";
import { type EnvironmentFiles, readEnvironmentFiles } from "../settings/environment-files.ts";
import {
  ROLLOUT_SERVICES,
  type RolloutConfig,
  type RolloutServiceName,
} from "../settings/rollout-config.ts";
import { RefusedError } from "../state/rollout-session.ts";
import type { Change } from "../state/rollout-state.ts";

/**
 * Throws a RefusedError if a service of the stage would not start with its environment file, or
 * would start fail-open: a refusal now is better than an outage later.
 */
export async function refuseBadFiles(
  config: RolloutConfig,
  changes: readonly Change[],
): Promise<void> {
  const files = await readOrRefuse(config);
  const services = ROLLOUT_SERVICES.filter((service) => changes.includes(service));
  const found = services.map((service) => findProblems(config, files, service));
  const problems = (await Promise.all(found)).flat();
  if (problems.length === 0) return;
  throw new RefusedError(`nothing was changed, since ${problems.join("; ")}`);
}

async function findProblems(
  { services, directory, failOpen }: RolloutConfig,
  files: EnvironmentFiles,
  name: RolloutServiceName,
): Promise<string[]> {
  const file = files[name];
  const { envFile, url } = services[name];
  if (file === undefined) return [];
  const said = (problem: string) => `${envFile}: ${problem}`;
  const problems = findFileProblems(name, file).map(said);
  const [policies] = await checkPolicies([{ name, file }], { directory, urls: { [name]: url } });
  if (policies?.verdict === "fail") {
    problems.push(said(`${file[POLICIES_VARIABLE]}: ${policies.observed}`));
  }
  if (plannedMode(name, file) === "fail-open" && !failOpen.includes(name)) {
    problems.push(said(`${name} would run fail-open, and failOpen does not name it`));
  }
  return problems;
}

/** Reads the files of all services, since the judges read them all after the change. */
async function readOrRefuse(config: RolloutConfig): Promise<EnvironmentFiles> {
  try {
    return await readEnvironmentFiles(config.services);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new RefusedError(`nothing was changed, since ${error.problems.join("; ")}`);
  }
}
