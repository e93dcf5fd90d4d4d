import { canaryFrom, deploymentFrom, preflightFrom } from "./judge/options-from-config.ts";
import { runAlign } from "./judge/run-align.ts";
import { runCanary } from "./judge/run-canary.ts";
import { runPreflight } from "./judge/run-preflight.ts";
import { runProbe } from "./judge/run-probe.ts";
import type { Judges } from "./verify-position.ts";

/**
 * In a stage a silent websocket is only waited for as long as shows that it works: a stage must end
 * before its timer takes it back. The verb `probe` waits longer than any proxy of ours.
 */
const STAGE_IDLE_SECONDS = 2;

/** The judges as a stage asks them. */
export const judges: Judges = {
  preflight: async (request) => await runPreflight(await preflightFrom(request)),
  probe: async (request) =>
    await runProbe({ ...deploymentFrom(request), idleSeconds: STAGE_IDLE_SECONDS }),
  align: async (request) => (await runAlign(deploymentFrom(request))).checks,
  canary: async (request) => await runCanary(canaryFrom(request)),
};
