import type { Load } from "./load.ts";

/** What an attack may do to honest clients and to the services; everything else is a fault. */
export type Bounds = {
  /** Honest calls may be refused in these ways, for this reason. Unset: none may be. */
  refusals?: { matching: RegExp; reason: string };
  /**
   * The share of honest calls that may be late, and so be refused with 503: attackers, services and
   * Postgres share one small machine here. More than that is no accident.
   */
  lateShareMax?: number;
  /** What attackers must never be answered. */
  forbiddenAnswers: RegExp;
  /** How often something may be counted at most, by a pattern of what is counted. */
  countsMax?: readonly { matching: RegExp; max: number; reason: string }[];
  /** How much the resident memory of a service may grow meanwhile. */
  rssGrowthBytesMax: number;
  /** How much more a service may hold afterwards, when garbage has been collected. */
  liveGrowthBytesMax: number;
  /** Log lines of all services together. */
  logLinesMax: number;
  /** Whether a service may write errors of its own. */
  mayLogErrors: boolean;
};

/** A bad answer to bad input, whoever sends it. */
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

/** Something that strangers send; it runs in a process of its own. */
export type Attack = {
  name: string;
  /** For people: who does what. */
  title: string;
  run(load: Load): Promise<void>;
  bounds?: Partial<Bounds>;
  /** Whether it must be harmless too when it comes from the address of honest clients. */
  holdsFromSharedAddress: boolean;
  /** It is over once it has sent its inputs, however long that takes. */
  isCounted?: boolean;
  needs?: "second-limiter";
  focus?: "owners";
  /** Whether it matters that attackers come from an address that cannot be a proxy. */
  isAboutConnections?: boolean;
};

/** A caller with a valid token may use up its own share, and nobody else's. */
export const OWN_SHARE: Partial<Bounds> = {
  refusals: {
    matching: /^consume as operator: 503/,
    reason: "the caller that misbehaves has used up its own share",
  },
};
