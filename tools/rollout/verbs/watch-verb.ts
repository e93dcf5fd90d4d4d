import { setTimeout as sleep } from "node:timers/promises";
import { findBaseline, findHopsNow, findPlace, placeBeganMs } from "../judge/find-place.ts";
import type { GateFinding } from "../judge/gate.ts";
import { measureGates } from "../judge/measure-gates.ts";
import { deploymentFrom } from "../judge/options-from-config.ts";
import { renderWatch } from "../judge/render-watch.ts";
import { watchlist } from "../judge/watchlist.ts";
import { loadRolloutConfig } from "../settings/rollout-config.ts";
import { windowToBaseline } from "../state/good-window.ts";
import type { Verb, VerbContext } from "../terms/verb.ts";
import { EXIT, type ExitCode, overall, type Verdict } from "../terms/verdict.ts";
import { COMMON_HELP, readArguments, UsageError } from "./command-line.ts";
import { readNumber, readTracks, TRACK_HELP, TRACK_OPTIONS } from "./judge-verb.ts";

const INTERVAL_SECONDS = { min: 0.2, max: 3_600 };
const INTERVAL_SECONDS_DEFAULT = 10;
/** A week. */
const DURATION_SECONDS = { min: 1, max: 604_800 };
/** Cursor home, then erase: a table that is redrawn in place does not flicker. */
const REDRAW = "\u001b[H\u001b[2J";

const HELP = `Usage: rollout watch [options]

Looks at the watchlist again and again: each metric with its value, the baseline, the limit and the
verdict, and the time left. A table on a terminal, lines elsewhere. Ends after the duration with
the last verdict; Ctrl-C ends it earlier.

  --interval SECONDS  how often (${INTERVAL_SECONDS_DEFAULT})
  --duration SECONDS  how long, and how far back each metric reaches at most: never past the last
                      change (canary.durationSeconds)
${TRACK_HELP}${COMMON_HELP}`;

/** The canary's gates, live. */
export const watch: Verb = {
  name: "watch",
  summary: "the watchlist, live: value, baseline, limit, verdict, time left",
  async run(context) {
    const { values } = readArguments(
      context.arguments,
      { interval: { type: "string" }, duration: { type: "string" }, ...TRACK_OPTIONS },
      0,
    );
    if (values.help) {
      context.stdout(HELP);
      return EXIT.pass;
    }
    const config = await loadRolloutConfig(values.config);
    const prometheusUrl = config.prometheus?.url;
    if (!prometheusUrl)
      throw new UsageError("prometheus.url is not set: there is nothing to watch");
    const durationSeconds =
      readNumber(values, "duration", DURATION_SECONDS) ?? config.canary.durationSeconds;
    const intervalSeconds =
      readNumber(values, "interval", INTERVAL_SECONDS) ?? INTERVAL_SECONDS_DEFAULT;
    const { topology, hops } = config.edge;
    const tracks = readTracks(values);
    const startedAt = new Date();
    const { environment, signal } = context;
    const deployment = deploymentFrom({ config, environment, signal });
    const look = async () => {
      // Read every time: the rollout may move on while it is watched.
      const place = await findPlace(config);
      const hopsNow = await findHopsNow(deployment, place);
      const at = new Date();
      const baseline = findBaseline(place, {
        nowMs: startedAt.getTime(),
        durationSeconds,
        hops: hopsNow,
      });
      return await measureGates({
        prometheusUrl,
        gates: watchlist({
          hops,
          hopsNow,
          hopsBefore: baseline.hops,
          topology,
          failOpen: config.failOpen,
        }),
        windowSeconds: windowSecondsAt(at.getTime(), placeBeganMs(place), durationSeconds),
        at,
        baseline: windowToBaseline(baseline),
        tracks,
        requestsMin: config.canary.minRequests,
        signal,
      });
    };
    const show = values.json ? showJson : context.isTerminal ? showTable : showLines;
    return await watchUntil(startedAt.getTime() + durationSeconds * 1_000, {
      context,
      intervalMs: intervalSeconds * 1_000,
      look,
      show,
    });
  },
};

/** At most the duration, and never past the last change, which itself makes gates fail. */
function windowSecondsAt(nowMs: number, beganMs: number, durationSeconds: number): number {
  const sinceBegin = Math.ceil((nowMs - beganMs) / 1_000);
  return Math.max(1, Math.min(durationSeconds, sinceBegin));
}

type Show = (context: VerbContext, findings: readonly GateFinding[], leftMs: number) => void;

async function watchUntil(
  endsMs: number,
  options: {
    context: VerbContext;
    intervalMs: number;
    look: () => Promise<GateFinding[]>;
    show: Show;
  },
): Promise<ExitCode> {
  const { context, intervalMs } = options;
  let verdict: Verdict = "inconclusive";
  for (;;) {
    const findings = await options.look();
    // An interrupted measurement says nothing about the deployment.
    if (context.signal.aborted) return EXIT[verdict];
    verdict = overall(findings.map(({ check }) => check));
    const leftMs = Math.max(0, endsMs - Date.now());
    options.show(context, findings, leftMs);
    if (leftMs === 0) return EXIT[verdict];
    const pauseMs = Math.min(intervalMs, leftMs);
    await sleep(pauseMs, undefined, { signal: context.signal }).catch(() => undefined);
    if (context.signal.aborted) return EXIT[verdict];
  }
}

const showTable: Show = ({ stdout, columns }, findings, leftMs) => {
  stdout(`${REDRAW}${renderWatch(findings, { leftMs, isTerminal: true, columns })}`);
};

/** In a log, only gates that do not pass get a line. */
const showLines: Show = ({ stdout }, findings, leftMs) => {
  const time = new Date().toISOString();
  const verdict = overall(findings.map(({ check }) => check));
  stdout(`${time} ${verdict}, ${Math.ceil(leftMs / 1_000)} s left\n`);
  for (const { check } of findings) {
    if (check.verdict !== "pass") {
      stdout(`${time} ${check.verdict} ${check.id}: ${check.observed}\n`);
    }
  }
};

const showJson: Show = ({ stdout }, findings, leftMs) => {
  const gates = findings.map(({ check, value, baseline, samples, limit, unit }) => {
    const numbers = { value: value ?? null, baseline: baseline ?? null, samples: samples ?? null };
    return { id: check.id, verdict: check.verdict, ...numbers, limit, unit };
  });
  const verdict = overall(findings.map(({ check }) => check));
  const line = { at: new Date().toISOString(), verdict, leftSeconds: Math.ceil(leftMs / 1_000) };
  stdout(`${JSON.stringify({ ...line, gates })}\n`);
};
