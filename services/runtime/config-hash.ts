import { createHash } from "node:crypto";

/**
 * Names a configuration without revealing it: secrets serialise as `[redacted]`, so only what may
 * be seen is hashed, and the order of keys does not matter.
 */
export function configHash(config: object): string {
  const text = JSON.stringify(config, (_key, value: unknown) => sorted(value));
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
