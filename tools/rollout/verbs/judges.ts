import { canaryFrom, deploymentFrom, preflightFrom } from "../judge/options-from-config.ts";
import { runAlign } from "../judge/run-align.ts";
import { runCanary } from "../judge/run-canary.ts";
import { runPreflight } from "../judge/run-preflight.ts";
import { runProbe } from "../judge/run-probe.ts";
import type { Judges } from "../judge/verify-position.ts";

/**
 * Short, since the dead-man timer runs during a stage: this only shows that upgrades work. The verb
 * `probe` keeps its websocket silent for as long as real clients are.
 */
const IDLE_SECONDS = 2;

/** The judges that a stage can name, except `identity`. */
export const judges: Judges = {
  preflight: async (request) => await runPreflight(await preflightFrom(request)),
  probe: async ({ onProgress, ...request }) =>
    await runProbe({ ...deploymentFrom(request), idleSeconds: IDLE_SECONDS, onProgress }),
  align: async (request) => (await runAlign(deploymentFrom(request))).checks,
  canary: async (request) => {
    // The baseline is the time before the rollout, not an earlier stage of it.
    return await runCanary({ ...canaryFrom(request), onProgress: request.onProgress });
  },
};
