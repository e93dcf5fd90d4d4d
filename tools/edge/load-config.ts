import { readFileSync } from "node:fs";
import { UsageError } from "./command.ts";
import type { EdgeConfig } from "./edge-config.ts";
import { readEdgeConfig } from "./read-edge-config.ts";

const DEFAULTS = new URL("defaults.yaml", import.meta.url);

/** Reads the YAML of an edge, or the defaults. Throws a UsageError that names every problem. */
export function loadConfig(file: string | undefined, topology?: string): EdgeConfig {
  const reading = readEdgeConfig(readText(file), topology);
  if (reading.kind === "valid") return reading.config;
  const name = file ?? "defaults.yaml";
  const problems = reading.problems.map(({ line, text }) => `${name}:${line}: ${text}`);
  throw new UsageError(problems.join("\n"));
}

function readText(file: string | undefined): string {
  if (file === undefined) return readFileSync(DEFAULTS, "utf8");
  return readFileOrRefuse(file);
}

/** Reads a file that the command line named. */
export function readFileOrRefuse(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${file} cannot be read: ${reason}`);
  }
}
