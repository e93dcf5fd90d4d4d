import { connectionBounds } from "../../services/runtime/way-in/door-bounds.ts";
import type { Bounds } from "./attack.ts";
import type { HonestTally } from "./honest/honest-record.ts";
import type { LoadCounts } from "./load.ts";
import type { Figures } from "./measure/watch.ts";

/** The measurements around one attack. */
export type Measured = {
  honest: HonestTally;
  start: Figures;
  most: Figures;
  after: Figures;
  /** The memory of each service after a garbage collection. */
  liveBytesStart: Readonly<Record<string, number>>;
  liveBytesAfter: Readonly<Record<string, number>>;
  counts: LoadCounts;
  logLines: number;
  /** Errors in the logs, and output that is no log line. */
  errors: readonly string[];
  /** Services that exited or hung, in words. */
  ended: readonly string[];
  /** Other problems, in words. */
  problems: readonly string[];
};

/** The result of one attack. */
export type Finding = {
  name: string;
  /** The broken bounds, in words; empty if all held. */
  broken: readonly string[];
  /** The reasons of honest refusals that are allowed. */
  reason?: string;
  /** Why the attack could not run here. */
  skipped?: string;
  measured?: Measured;
};

/** The bounds of descriptors and of Postgres processes, for all services together. */
export type SharedBounds = {
  socketsMax: number;
  /** Additional sockets that may remain after an attack. */
  socketsLeftMax: number;
  /** The bound of one process, by the start of its application name. */
  backendsMax: Readonly<Record<string, number>>;
};

/** Sockets to the database and to other services, and listening sockets. */
const OWN_SOCKETS_MAX = 100;

export const SHARED_BOUNDS: SharedBounds = {
  // Each service has at most one door of each kind.
  socketsMax: connectionBounds("public").max + connectionBounds("internal").max + OWN_SOCKETS_MAX,
  socketsLeftMax: 40,
  backendsMax: {
    "portcullis-auth": 20,
    "portcullis-limiter": 12,
    "portcullis-gateway": 0,
  },
};

const NAMED_MAX = 5;
const MEBIBYTE = 1024 * 1024;

/** Returns every broken bound. Uses counts and bytes only: machines differ in speed. */
export function findBroken(
  measured: Measured,
  bounds: Bounds,
  shared: SharedBounds = SHARED_BOUNDS,
): string[] {
  return [
    ...measured.ended,
    ...measured.problems,
    ...brokenForHonest(measured, bounds),
    ...brokenAnswers(measured, bounds),
    ...brokenMemory(measured, bounds),
    ...brokenConnections(measured, shared),
    ...brokenLogs(measured, bounds),
  ];
}

/** How a call is refused if there was no time for it. */
const LATE = /\b503\b|no answer/;

function brokenForHonest({ honest }: Measured, { refusals, lateShareMax = 0 }: Bounds): string[] {
  if (honest.calls === 0) return ["no honest call was made, so nothing is shown"];
  const refused = [...honest.refusals].filter(([what]) => refusals?.matching.test(what) !== true);
  const late = refused.filter(([what]) => LATE.test(what));
  const lateCalls = late.reduce((sum, [, count]) => sum + count, 0);
  const isBroken = lateCalls > honest.calls * lateShareMax;
  const broken = isBroken ? refused : refused.filter(([what]) => !LATE.test(what));
  return broken.map(([what, count]) => `${count} honest × ${what}`);
}

function brokenAnswers({ counts }: Measured, bounds: Bounds): string[] {
  const forbidden = Object.entries(counts).filter(([what]) => bounds.forbiddenAnswers.test(what));
  const tooOften = (bounds.countsMax ?? []).flatMap(({ matching, max, reason }) =>
    Object.entries(counts)
      .filter(([what, count]) => matching.test(what) && count > max)
      .map(([what, count]) => `${count} × ${what}: at most ${max}, since ${reason}`),
  );
  return [...atMost(forbidden.map(([what, count]) => `${count} × answered ${what}`)), ...tooOften];
}

function brokenMemory(measured: Measured, bounds: Bounds): string[] {
  const { start, most, liveBytesStart, liveBytesAfter } = measured;
  const { rssGrowthBytesMax, liveGrowthBytesMax } = bounds;
  const grown = Object.entries(most.rssBytes).map(([name, bytes]) => ({
    what: `${name} grew by`,
    bytes: bytes - (start.rssBytes[name] ?? bytes),
    max: rssGrowthBytesMax,
  }));
  const kept = Object.entries(liveBytesAfter).map(([name, bytes]) => ({
    what: `${name} keeps`,
    bytes: bytes - (liveBytesStart[name] ?? bytes),
    max: liveGrowthBytesMax,
  }));
  return [...grown, ...kept]
    .filter(({ bytes, max }) => bytes > max)
    .map(({ what, bytes, max }) => `${what} ${mebibytes(bytes)} MB, at most ${mebibytes(max)}`);
}

function brokenConnections({ start, most, after }: Measured, shared: SharedBounds): string[] {
  const tooMany = Object.entries(most.sockets)
    .filter(([, count]) => count > shared.socketsMax)
    .map(([name, count]) => `${name} held ${count} sockets, at most ${shared.socketsMax}`);
  const left = Object.entries(after.sockets)
    .map(([name, count]) => ({ name, left: count - (start.sockets[name] ?? count) }))
    .filter(({ left }) => left > shared.socketsLeftMax)
    .map(({ name, left }) => `${name} keeps ${left} sockets, at most ${shared.socketsLeftMax}`);
  const backends = Object.entries(shared.backendsMax).flatMap(([prefix, perProcess]) => {
    const count = sumOf(most.backends, prefix);
    const max = perProcess * processesOf(prefix, most.rssBytes);
    return count > max ? [`${count} backends of ${prefix}, at most ${max}`] : [];
  });
  return [...tooMany, ...left, ...backends];
}

/** Replicas of a service share an application name. */
function processesOf(prefix: string, processes: Readonly<Record<string, unknown>>): number {
  const service = prefix.replace("portcullis-", "");
  return Object.keys(processes).filter((name) => name.endsWith(service)).length;
}

function brokenLogs({ errors, logLines }: Measured, bounds: Bounds): string[] {
  const tooMany =
    logLines > bounds.logLinesMax
      ? [`${logLines} lines were logged, at most ${bounds.logLinesMax}`]
      : [];
  return bounds.mayLogErrors ? tooMany : [...tooMany, ...atMost(errors)];
}

function atMost(lines: readonly string[]): string[] {
  const rest = lines.length - NAMED_MAX;
  return rest > 0 ? [...lines.slice(0, NAMED_MAX), `… and ${rest} more like these`] : [...lines];
}

/** Returns the sum over all names with a prefix. */
export function sumOf(counts: Readonly<Record<string, number>>, prefix: string): number {
  return Object.entries(counts)
    .filter(([name]) => name.startsWith(prefix))
    .reduce((sum, [, count]) => sum + count, 0);
}

export function mebibytes(bytes: number): number {
  return Math.round(bytes / MEBIBYTE);
}
