import { hash, type Options, parseOptions, verify } from "@node-rs/argon2";
import { normalisePassword, spellingsOf } from "./password-text.ts";

/** OWASP's minimum for Argon2id: 19 MiB, two passes, one lane. */
const PARAMETERS = {
  // Argon2id; the enum of the package has no values at run time.
  algorithm: 2,
  memoryCost: 19_456,
  timeCost: 2,
  parallelism: 1,
  outputLen: 32,
} satisfies Options;

/** 256 MiB, in KiB. Verifying a stored hash that asks for more could end the process. */
const MEMORY_COST_MAX = 262_144;
const TIME_COST_MAX = 16;
const PARALLELISM_MAX = 16;

/** The result of checking a password. */
export type PasswordCheck =
  /** Right, but the stored hash is weak or of another spelling. */
  | "right-but-stale"
  | "right"
  | "wrong"
  /** The stored hash cannot be verified: nobody can sign in with it. */
  | "unreadable";

/** Hashes a password with a fresh salt. */
export async function hashPassword(password: string): Promise<string> {
  return await hash(normalisePassword(password), PARAMETERS);
}

/**
 * Checks a password against a stored hash. Right, wrong and unreadable take the same time: in place
 * of an unreadable hash it verifies `dummyHash`.
 */
export async function checkPassword(
  passwordHash: string,
  password: string,
  dummyHash: string,
): Promise<PasswordCheck> {
  if (!isReadable(passwordHash)) {
    await matchingSpelling(dummyHash, password);
    return "unreadable";
  }
  const spelling = await matchingSpelling(passwordHash, password);
  if (spelling === undefined) return "wrong";
  const isNormal = spelling === normalisePassword(password);
  return isNormal && !needsRehash(passwordHash) ? "right" : "right-but-stale";
}

/** Whether a password belongs to a hash, in any of its spellings. */
export async function verifyPassword(passwordHash: string, password: string): Promise<boolean> {
  return (await matchingSpelling(passwordHash, password)) !== undefined;
}

/** Whether a hash has weaker parameters than new hashes have. */
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

async function matchingSpelling(
  passwordHash: string,
  password: string,
): Promise<string | undefined> {
  for (const spelling of spellingsOf(password)) {
    if (await verify(passwordHash, spelling)) return spelling;
  }
  return undefined;
}

/** Whether it is an Argon2 hash with parameters that this process can afford. */
function isReadable(passwordHash: string): boolean {
  try {
    const { memoryCost, timeCost, parallelism } = parseOptions(passwordHash);
    return (
      memoryCost <= MEMORY_COST_MAX && timeCost <= TIME_COST_MAX && parallelism <= PARALLELISM_MAX
    );
  } catch {
    return false;
  }
}
