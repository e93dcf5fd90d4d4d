import { readFileSync } from "node:fs";
import type { EnvReader } from "./env.ts";

/** Which release a process runs: the version of the package, the revision of its sources. */
export type Release = { version: string; revision: string };

/** Written by the build, which asks git for the revision. */
const BUILT_RELEASE = new URL("./release.json", import.meta.url);
/** Read when the sources run without a build. */
const PACKAGE = new URL("../../package.json", import.meta.url);
/** A commit, a tag or the name of a build; it becomes a label of a metric. */
const REVISION = /^[\w.+-]{1,64}$/;
const UNKNOWN = "unknown";

/** Reads `RELEASE_REVISION`, for builds without git. It overrides the revision of the build. */
export function readRevision(env: EnvReader): string | undefined {
  const revision = env.optional("RELEASE_REVISION");
  if (revision === undefined || REVISION.test(revision)) return revision;
  env.problem("RELEASE_REVISION", "must be up to 64 letters, digits, dots, plus and minus signs");
  return undefined;
}

/** The release that this process runs. Fields without a source are `unknown`. */
export function findRelease(revision: string | undefined): Release {
  const built = readFields(BUILT_RELEASE) ?? readFields(PACKAGE);
  return {
    version: built?.version ?? UNKNOWN,
    revision: revision ?? built?.revision ?? UNKNOWN,
  };
}

function readFields(file: URL): Partial<Release> | undefined {
  try {
    const fields: Partial<Record<keyof Release, unknown>> = JSON.parse(readFileSync(file, "utf8"));
    const { version, revision } = fields;
    return {
      ...(typeof version === "string" && { version }),
      ...(typeof revision === "string" && { revision }),
    };
  } catch {
    return undefined;
  }
}
