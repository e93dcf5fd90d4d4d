import { type Attack, type Bounds, DEFAULT_BOUNDS } from "./attack.ts";
import { ATTACKS } from "./attacks.ts";
import { type Finding, findBroken } from "./finding.ts";
import { startLoad } from "./load-child.ts";
import type { Stage } from "./stage.ts";

/** Attacks that run together, under one name. */
export type Round = { name: string; attacks: readonly Attack[] };

export type RoundOptions = {
  attackerAddress: string;
  seconds: number;
  inputs: number;
  seed: number;
  lateShareMax?: number;
};

/** One round per attack. */
export function roundOf(attack: Attack): Round {
  return { name: attack.name, attacks: [attack] };
}

/** A round of several attacks, by names or prefixes. */
export function roundOfAll(name: string, prefixes: readonly string[]): Round {
  const attacks = ATTACKS.filter((attack) =>
    prefixes.some((prefix) => attack.name.startsWith(prefix)),
  );
  return { name, attacks };
}

/** Runs attacks on a stage and returns the finding. */
export async function runRound(
  stage: Stage,
  round: Round,
  options: RoundOptions,
): Promise<Finding> {
  const { attacks, name } = round;
  const bounds = boundsOf(attacks);
  const needsSecond = attacks.some((attack) => attack.needs === "second-limiter");
  const secondLimiter = needsSecond ? await stage.secondLimiter() : undefined;
  const isFocused = attacks.some((attack) => attack.focus === "owners");
  stage.honest.setFocus(isFocused ? "owners" : "everybody");
  const measured = await stage.measure(async () => {
    const load = await startLoad({
      attacks: attacks.map((attack) => attack.name),
      doors: stage.system.doors,
      secondLimiter,
      localAddress: options.attackerAddress,
      seconds: options.seconds,
      inputs: options.inputs,
      share: 1 / attacks.length,
      seed: options.seed,
    });
    try {
      const counts = await load.counts;
      const isIdle = Object.keys(counts).length === 0;
      return { counts, problems: isIdle ? ["nothing was sent, so nothing is shown"] : [] };
    } finally {
      await load.stop();
    }
  });
  stage.honest.setFocus("everybody");
  const { refusals } = bounds;
  const { lateShareMax = 0 } = options;
  const broken = findBroken(measured, { ...bounds, lateShareMax });
  return { name, broken, measured, ...(refusals && { reason: refusals.reason }) };
}

/** Returns the combined permitted effects of several attacks. */
function boundsOf(attacks: readonly Attack[]): Bounds {
  const own = attacks.map(({ bounds }) => ({ ...DEFAULT_BOUNDS, ...bounds }));
  const most = (read: (bounds: Bounds) => number) => Math.max(...own.map(read));
  const refusals = own.find((bounds) => bounds.refusals !== undefined)?.refusals;
  return {
    ...DEFAULT_BOUNDS,
    countsMax: own.flatMap(({ countsMax }) => countsMax ?? []),
    rssGrowthBytesMax: most((bounds) => bounds.rssGrowthBytesMax),
    liveGrowthBytesMax: most((bounds) => bounds.liveGrowthBytesMax),
    logLinesMax: most((bounds) => bounds.logLinesMax),
    mayLogErrors: own.some(({ mayLogErrors }) => mayLogErrors),
    ...(refusals && { refusals }),
  };
}
