/** What a command may touch besides files; tests read what it wrote. */
export type Terminal = {
  write: (text: string) => void;
  writeError: (text: string) => void;
  environment: Readonly<Record<string, string | undefined>>;
  colours: boolean;
};

/**
 * 0: all is well. 1: findings, or the proxy failed. 2: usage, or a file that cannot be read or
 * proved. 3: the proxy that is needed is not installed, or a
 * probe is in doubt.
 */
export type ExitCode = 0 | 1 | 2 | 3;

/** A call that cannot be carried out as it was written; the text says what to change. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Reads one of a closed set of words from the command line. */
export function readChoice<Choice extends string>(
  option: string,
  text: string | undefined,
  choices: readonly Choice[],
): Choice | undefined {
  if (text === undefined) return undefined;
  const choice = choices.find((known) => known === text);
  if (choice === undefined) {
    throw new UsageError(`${option} must be one of ${choices.join(", ")}, not "${text}"`);
  }
  return choice;
}
