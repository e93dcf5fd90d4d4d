import { access, constants } from "node:fs/promises";
import { resolve } from "node:path";
import { PoliciesError } from "../../../services/limiter/rules/parse-policies.ts";
import { readPoliciesConfig } from "../../../services/limiter/rules/policies-config.ts";
import { readPoliciesFile } from "../../../services/limiter/rules/policies-file.ts";
import { policiesHash } from "../../../services/runtime/config-hash.ts";
import { createEnvReader, type Environment } from "../../../services/runtime/env.ts";
import { readTextFile } from "../../../services/runtime/read-text-file.ts";
import { doubtful, failed, passed, type Subject } from "../../edge/probe/check.ts";
import type { ServiceName } from "../../edge/probe/deployment.ts";
import type { Check } from "../terms/verdict.ts";
import { isLoopback } from "./loopback.ts";

/** The variable of an environment file that names the policies file. */
export const POLICIES_VARIABLE = "LIMITER_POLICIES_FILE";

/** A service with its environment file. */
type Filed = { name: ServiceName; file: Environment | undefined };

export type PoliciesPlace = {
  /** The base of relative paths. */
  directory: string;
  urls: Partial<Readonly<Record<ServiceName, string>>>;
};

/** Whether each policies file that an environment file names can be read, and is valid. */
export async function checkPolicies(
  services: readonly Filed[],
  place: PoliciesPlace,
): Promise<Check[]> {
  const checks = services.map(async ({ name, file }): Promise<Check[]> => {
    const path = file?.[POLICIES_VARIABLE]?.trim();
    if (file === undefined || !path) return [];
    const subject = {
      id: `policies.${name}`,
      title: `Policies file of ${name}`,
      why: "a service refuses to start with a file that it cannot read, in the middle of the rollout",
    };
    const found = await readPolicies(path, place.directory, file);
    if (found.kind === "read") return [passed(subject, `${path} is valid, hash ${found.hash}`)];
    const url = place.urls[name];
    const isHere = url !== undefined && isLoopback(url);
    return [judgeUnread(subject, found, { path, isHere })];
  });
  return (await Promise.all(checks)).flat();
}

/**
 * The hash of the policies that a service would load with this file; undefined if it cannot read
 * them, or if they are invalid.
 */
export async function findPlannedPolicies(
  file: Environment,
  directory: string,
): Promise<string | undefined> {
  const path = file[POLICIES_VARIABLE]?.trim();
  if (!path) return policiesHash(await readPoliciesFile(readTextFile));
  const found = await readPolicies(path, directory, file);
  return found.kind === "read" ? found.hash : undefined;
}

type Reading = { kind: "read"; hash: string } | { kind: "unreadable" | "invalid"; problem: string };

async function readPolicies(
  path: string,
  directory: string,
  environment: Environment,
): Promise<Reading> {
  const file = resolve(directory, path);
  try {
    await access(file, constants.R_OK);
  } catch (error) {
    return { kind: "unreadable", problem: messageOf(error) };
  }
  const { ipv6PrefixBits } = readPoliciesConfig(createEnvReader(environment));
  try {
    const policies = await readPoliciesFile(readTextFile, file, { ipv6PrefixBits });
    return { kind: "read", hash: policiesHash(policies) };
  } catch (error) {
    if (!(error instanceof PoliciesError)) throw error;
    return { kind: "invalid", problem: error.problems.join("; ") };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A file missing here may exist on the service's own machine, unless that is this one. */
function judgeUnread(
  subject: Subject,
  { kind, problem }: { kind: "unreadable" | "invalid"; problem: string },
  { path, isHere }: { path: string; isHere: boolean },
): Check {
  if (kind === "invalid") return failed(subject, problem, `correct ${path}`);
  if (isHere)
    return failed(subject, problem, `put the file there, or correct ${POLICIES_VARIABLE}`);
  return doubtful(subject, problem, "give this machine a copy of the file under the same path");
}
