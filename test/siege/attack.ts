import type { Load } from "./load.ts";

/**
 * The permitted effects of an attack on honest clients and on services; everything else is a fault.
 */
export type Bounds = {
  /** The kinds of honest refusals that are permitted, and why. Undefined permits none. */
  refusals?: { matching: RegExp; reason: string };
  /**
   * The share of honest calls that may be late and refused with 503: attackers, services and
   * Postgres share one small machine. A larger share is a fault.
   */
  lateShareMax?: number;
  /** Answers that attackers must never get. */
  forbiddenAnswers: RegExp;
  /** The maximum count of results, by a pattern of their names. */
  countsMax?: readonly { matching: RegExp; max: number; reason: string }[];
  /** How much a service's resident memory may grow during the attack. */
  rssGrowthBytesMax: number;
  /** How much more memory a service may hold afterwards, after a garbage collection. */
  liveGrowthBytesMax: number;
  /** The maximum number of log lines of all services. */
  logLinesMax: number;
  /** Whether a service may log errors of its own. */
  mayLogErrors: boolean;
};

/** A bad answer to bad input, whoever sent it. */
const INTERNAL = /(?:^|: )50[024]\b/;
const MEBIBYTE = 1024 * 1024;

export const DEFAULT_BOUNDS: Bounds = {
  forbiddenAnswers: INTERNAL,
  // Several buffers of the largest request, and the young generation of the heap.
  rssGrowthBytesMax: 320 * MEBIBYTE,
  // Bounded caches fill up: buckets of rotating addresses, digests, statements.
  liveGrowthBytesMax: 48 * MEBIBYTE,
  logLinesMax: 500,
  mayLogErrors: false,
};

/** An attack; it runs in a separate process. */
export type Attack = {
  name: string;
  /** Describes the attack in words. */
  title: string;
  run(load: Load): Promise<void>;
  bounds?: Partial<Bounds>;
  /** Whether it must also be harmless from the address of honest clients. */
  holdsFromSharedAddress: boolean;
  /** The attack ends after its inputs, however long that takes. */
  isCounted?: boolean;
  needs?: "second-limiter";
  focus?: "owners";
  /** Whether the attackers need an address that cannot be a proxy. */
  isAboutConnections?: boolean;
};

/** A caller with a valid token may exhaust its own share, and nobody else's. */
export const OWN_SHARE: Partial<Bounds> = {
  refusals: {
    matching: /^consume as operator: 503/,
    reason: "the caller that misbehaves has used up its own share",
  },
};
