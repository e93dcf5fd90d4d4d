import { createContextKey } from "@connectrpc/connect";
import { digestOf, type Secret } from "./secret.ts";

/** Which service (or the operator) makes a call; empty when it presented no service token. */
export const callerKey = createContextKey<string>("");

/** Callers by name, each with up to two live tokens. */
export type Credentials = Readonly<Record<string, readonly Secret[]>>;

/**
 * The name of the caller whose token an authorization header holds. Compares every token, each in
 * constant time, so that the duration reveals nothing.
 */
export function findCaller(
  authorization: string | null | undefined,
  credentials: Credentials,
): string | undefined {
  const token = readBearer(authorization);
  if (token === undefined) return undefined;
  const digest = digestOf(token);
  let caller: string | undefined;
  for (const [name, secrets] of Object.entries(credentials)) {
    for (const secret of secrets) {
      if (secret.equalsDigest(digest)) caller = name;
    }
  }
  return caller;
}

/** The token of `Bearer <token>`, with one or more spaces between (RFC 9110); else undefined. */
export function readBearer(authorization: string | null | undefined): string | undefined {
  return /^Bearer +([\x21-\x7e]{1,8192})$/i.exec(authorization ?? "")?.[1];
}
