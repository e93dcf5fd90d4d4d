import { ConfigError, type Environment } from "../../../services/runtime/env.ts";
import { readEnvText } from "../evidence/redact.ts";
import { readGivenFile } from "../files/given-file.ts";
import {
  ROLLOUT_SERVICES,
  type RolloutService,
  type RolloutServiceName,
} from "./rollout-config.ts";

/** The environment files of the services, as far as they are at hand. */
export type EnvironmentFiles = Partial<Readonly<Record<RolloutServiceName, Environment>>>;

/** Reads every file that is named; throws a ConfigError for one that cannot be read. */
export async function readEnvironmentFiles(
  services: Readonly<Record<RolloutServiceName, RolloutService>>,
  wanted: readonly RolloutServiceName[] = ROLLOUT_SERVICES,
): Promise<EnvironmentFiles> {
  const files = await Promise.all(
    wanted.map(async (name) => {
      const file = services[name].envFile;
      if (file === undefined) return [];
      const text = await readGivenFile(file).catch((error: unknown) => {
        const problem = error instanceof Error ? error.message : String(error);
        throw new ConfigError([`services.${name}.envFile: ${problem}`]);
      });
      return [[name, readEnvText(text)] as const];
    }),
  );
  return Object.fromEntries(files.flat());
}
