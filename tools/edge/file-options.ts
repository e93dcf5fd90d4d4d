import { readChoice, UsageError } from "./command.ts";
import type { Topology } from "./edge-config.ts";
import { findPreset, PRESET_NAMES } from "./presets.ts";
import { PROXIES } from "./render.ts";

/** The options that every verb about given files has, as `parseArgs` takes them. */
export const FILE_OPTIONS = {
  json: { type: "boolean" },
  topology: { type: "string" },
  proxy: { type: "string" },
  upstream: { type: "string", multiple: true },
  help: { type: "boolean", short: "h" },
} as const;

/** How the files of a verb are to be read. */
export type FileOptions = {
  /** Unset: the file says which topology it is for, or the verb finds out. */
  topology: Topology | undefined;
  /** Unset: the name and the text of a file tell. */
  proxy: (typeof PROXIES)[number] | undefined;
  /** Addresses at which services of Portcullis are, beside those that a file shows. */
  upstreams: readonly string[];
};

/** Reads the values of `FILE_OPTIONS`; throws a UsageError that names the option. */
export function readFileOptions(values: {
  topology?: string | undefined;
  proxy?: string | undefined;
  upstream?: readonly string[] | undefined;
}): FileOptions {
  const preset = readChoice("--topology", values.topology, PRESET_NAMES);
  return {
    topology: findPreset(preset ?? "")?.topology,
    proxy: readChoice("--proxy", values.proxy, PROXIES),
    upstreams: readUpstreams(values.upstream ?? []),
  };
}

function readUpstreams(values: readonly string[]): readonly string[] {
  for (const value of values) {
    if (/^(\[[0-9A-Fa-f:.]+\]|[^\s:/[\]]+)(:\d{1,5})?$/.test(value)) continue;
    throw new UsageError(`--upstream must be HOST:PORT, as the file names it, not "${value}"`);
  }
  return values;
}
