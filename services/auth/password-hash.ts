import { hash, type Options, parseOptions, verify } from "@node-rs/argon2";

/** What OWASP asks of Argon2id at least: 19 MiB, two passes, one lane. */
const PARAMETERS = {
  // Argon2id; the enum of the package has no values at run time.
  algorithm: 2,
  memoryCost: 19_456,
  timeCost: 2,
  parallelism: 1,
  outputLen: 32,
} satisfies Options;

/** Hashes a password with a fresh salt. */
export async function hashPassword(password: string): Promise<string> {
  return await hash(password, PARAMETERS);
}

/** Whether a password belongs to a hash. Takes as long for a wrong one as for the right one. */
export async function verifyPassword(passwordHash: string, password: string): Promise<boolean> {
  return await verify(passwordHash, password);
}

/** Whether a hash was made with weaker parameters than those of today. */
export function needsRehash(passwordHash: string): boolean {
  const { algorithm, memoryCost, timeCost, parallelism, outputLen } = parseOptions(passwordHash);
  return (
    algorithm !== PARAMETERS.algorithm ||
    memoryCost < PARAMETERS.memoryCost ||
    timeCost < PARAMETERS.timeCost ||
    parallelism !== PARAMETERS.parallelism ||
    outputLen < PARAMETERS.outputLen
  );
}
