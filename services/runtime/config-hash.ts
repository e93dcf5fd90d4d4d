import { createHash } from "node:crypto";
import type { Release } from "./release.ts";

/** What a service runs with beside its environment. */
export type RunningWith = {
  release: Release;
  /** The hash of the limits that it applies. */
  policiesHash: string;
  /** Fingerprints of its keys, never the keys. */
  keyFingerprints: readonly string[];
};

/**
 * A hash that names a configuration without revealing it: secrets serialise as `[redacted]`, so it
 * does not depend on them. The order of keys does not matter.
 */
export function configHash(config: object, runningWith?: RunningWith): string {
  const all = runningWith === undefined ? config : { config, ...runningWith };
  const text = JSON.stringify(all, (_key, value: unknown) => sorted(value));
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** A hash of what a policies file says, whatever its spelling and its order. */
export function policiesHash(policies: ReadonlyMap<string, object>): string {
  return configHash(Object.fromEntries(policies));
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
