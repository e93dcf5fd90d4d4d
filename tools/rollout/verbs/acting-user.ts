import { userInfo } from "node:os";
import type { Environment } from "../../../services/runtime/env.ts";
import { UsageError } from "./command-line.ts";

/** Fits the names of people and of the machines that act for them. */
const NAME_CHARACTERS_MAX = 128;
const CONTROL = /\p{Cc}/u;

/**
 * Returns the --as name; otherwise the system user, after the user who called sudo if there is one.
 * Throws a UsageError for a bad name.
 */
export function findActingUser(named: string | undefined, environment: Environment): string {
  if (named !== undefined) return checkName(named);
  const user = findSystemUser();
  const behind = environment["SUDO_USER"]?.trim();
  return behind && behind !== user && !CONTROL.test(behind) ? `${behind} as ${user}` : user;
}

function checkName(named: string): string {
  const name = named.trim();
  if (name === "" || name.length > NAME_CHARACTERS_MAX || CONTROL.test(name)) {
    throw new UsageError(`--as must be a name of at most ${NAME_CHARACTERS_MAX} characters`);
  }
  return name;
}

/** A container may run as a user without a name. */
function findSystemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? "unknown"}`;
  }
}
