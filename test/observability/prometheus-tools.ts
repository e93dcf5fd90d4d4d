import { spawnSync } from "node:child_process";

/** The package that has both programs, on Debian and its kin. */
const INSTALL = "apt-get install prometheus";

/** Whether a program of Prometheus is here; in CI it must be. */
export function hasProgram(name: "promtool" | "prometheus"): boolean {
  const isHere = spawnSync(name, ["--version"]).status === 0;
  if (!isHere && process.env["CI"] === "true") {
    throw new Error(`${name} is needed: ${INSTALL}`);
  }
  return isHere;
}

/** The name of a group of tests, saying what to install where it is skipped. */
export function titleOf(title: string, programs: ReadonlyArray<"promtool" | "prometheus">): string {
  const missing = programs.filter((name) => !hasProgram(name));
  return missing.length === 0 ? title : `${title} (skipped: ${INSTALL})`;
}

/** Runs promtool to its end. */
export function promtool(...parameters: readonly string[]): { status: number; output: string } {
  const { status, stdout, stderr } = spawnSync("promtool", parameters, { encoding: "utf8" });
  return { status: status ?? 1, output: `${stdout}${stderr}` };
}
