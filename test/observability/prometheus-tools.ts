import { spawnSync } from "node:child_process";

/** The packages with the programs, on Debian and its derivatives. */
const PACKAGES = {
  promtool: "prometheus",
  prometheus: "prometheus",
  amtool: "prometheus-alertmanager",
  "prometheus-alertmanager": "prometheus-alertmanager",
} as const;
type Program = keyof typeof PACKAGES;

/** Whether a program of Prometheus is installed; in CI it must be. */
export function hasProgram(name: Program): boolean {
  const isHere = spawnSync(name, ["--version"]).status === 0;
  if (!isHere && process.env["CI"] === "true") {
    throw new Error(`${name} is needed: apt-get install ${PACKAGES[name]}`);
  }
  return isHere;
}

/** Returns the name of a test group; it says what to install if the group is skipped. */
export function titleOf(title: string, programs: readonly Program[]): string {
  const [missing] = programs.filter((name) => !hasProgram(name));
  if (missing === undefined) return title;
  return `${title} (skipped: apt-get install ${PACKAGES[missing]})`;
}

/** Runs promtool and waits for its exit. */
export function promtool(...parameters: readonly string[]): { status: number; output: string } {
  const { status, stdout, stderr } = spawnSync("promtool", parameters, { encoding: "utf8" });
  return { status: status ?? 1, output: `${stdout}${stderr}` };
}
