import type { Environment } from "../../../services/runtime/env.ts";
import type { ExitCode } from "./verdict.ts";

/** Where a verb reads from and writes to. */
export type VerbContext = {
  /** What stands after the verb on the command line. */
  arguments: readonly string[];
  environment: Environment;
  /** Whether standard output is a terminal: only then colours, progress and live tables. */
  isTerminal: boolean;
  /** How wide the terminal is, where there is one; lines are wrapped to it. */
  columns?: number | undefined;
  /** Whether everything is shown, also what matters less than the rest. */
  isVerbose?: boolean | undefined;
  stdout(text: string): void;
  stderr(text: string): void;
  /** Aborted on Ctrl-C. */
  signal: AbortSignal;
};

/** One verb of the command line, for example `preflight`. Each has `--help` and `--json`. */
export type Verb = {
  name: string;
  /** One line for the list of verbs. */
  summary: string;
  run(context: VerbContext): Promise<ExitCode>;
};
