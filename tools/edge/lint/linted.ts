import type { Topology } from "../edge-config.ts";
import type { Finding } from "./finding.ts";

/** What a configuration is judged by. */
export type LintOptions = {
  /** What it is meant for; without it, what it seems to be written for. */
  topology: Topology | undefined;
  /** Addresses at which services of ours are, beside those that the configuration shows. */
  upstreams: readonly string[];
};

/** What a reader of one kind of configuration found. */
export type Linted = {
  findings: readonly Finding[];
  /** The topology that was given, or else assumed; undefined where none was needed. */
  topology: Topology | undefined;
  /** Whether there was anything to judge at all. */
  read: "all" | "nothing";
  /** What could not be judged, in words. */
  notes: readonly string[];
};

/** The note of a configuration in which no route or address is known to be ours. */
export const NONE_OF_OURS =
  "no route or address of Portcullis was recognised here, so which routes are forwarded was not judged; --upstream HOST:PORT names its services";
