import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

type Manifest = {
  name: string;
  version: string;
  optionalDependencies?: Readonly<Record<string, string>>;
};

/** What the package says of itself whose main file this is: the file is beside its manifest. */
export function manifestOf(mainFile: string): Manifest {
  return JSON.parse(readFileSync(join(dirname(mainFile), "package.json"), "utf8"));
}
