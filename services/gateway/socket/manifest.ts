import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

type Manifest = {
  name: string;
  version: string;
  optionalDependencies?: Readonly<Record<string, string>>;
};

/** Reads the package.json beside a package's main file. */
export function manifestOf(mainFile: string): Manifest {
  return JSON.parse(readFileSync(join(dirname(mainFile), "package.json"), "utf8"));
}
