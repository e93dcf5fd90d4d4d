import { findBaseline, findHopsNow } from "../judge/find-place.ts";
import { canaryFrom } from "../judge/options-from-config.ts";
import { runCanary } from "../judge/run-canary.ts";
import { windowToBaseline } from "../state/good-window.ts";
import {
  createJudgeVerb,
  readNumber,
  readTracks,
  TRACK_HELP,
  TRACK_OPTIONS,
} from "./judge-verb.ts";

/** A day. */
const DURATION_SECONDS = { min: 1, max: 86_400 };
const REQUESTS = { min: 1, max: 1_000_000_000 };

export const canary = createJudgeVerb({
  name: "canary",
  summary: "take users' journeys and watch the metrics for a while: pass, fail or inconclusive",
  description: `Signs in, mints tokens, connects and subscribes through the edge again and again, compares whom auth
and the gateway take it for, and holds the metrics of Prometheus against limits and against the
time right before. Ends at the first failure; passes only after the whole time, with enough
requests, and never on missing data.`,
  optionsHelp: `  --duration SECONDS  how long (canary.durationSeconds)
  --requests NUMBER   how many requests it takes to tell (canary.minRequests)
${TRACK_HELP}`,
  options: { duration: { type: "string" }, requests: { type: "string" }, ...TRACK_OPTIONS },
  judge: async (input, values, { progress: onProgress, place }) => {
    const options = canaryFrom(input);
    const durationSeconds =
      readNumber(values, "duration", DURATION_SECONDS) ?? options.durationSeconds;
    const hops = await findHopsNow(options, place);
    const baseline = findBaseline(place, { nowMs: Date.now(), durationSeconds, hops });
    return await runCanary({
      ...options,
      durationSeconds,
      expectedHops: hops,
      baseline: windowToBaseline(baseline),
      hopsBefore: baseline.hops,
      requestsMin: readNumber(values, "requests", REQUESTS) ?? options.requestsMin,
      tracks: readTracks(values),
      onProgress,
    });
  },
});
