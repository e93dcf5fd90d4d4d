import { canaryFrom, deploymentFrom, preflightFrom } from "../judge/options-from-config.ts";
import { runAlign } from "../judge/run-align.ts";
import { runCanary } from "../judge/run-canary.ts";
import { runPreflight } from "../judge/run-preflight.ts";
import { runProbe } from "../judge/run-probe.ts";
import type { Judges } from "../judge/verify-position.ts";

/**
 * A stage waits under its timer, so the silent websocket only shows that upgrades work; `probe`
 * alone waits as long as real clients are silent.
 */
const IDLE_SECONDS = 2;

/** Everything that looks at a deployment for a stage. */
export const judges: Judges = {
  preflight: async (request) => await runPreflight(await preflightFrom(request)),
  probe: async ({ onProgress, ...request }) =>
    await runProbe({ ...deploymentFrom(request), idleSeconds: IDLE_SECONDS, onProgress }),
  align: async (request) => (await runAlign(deploymentFrom(request))).checks,
  canary: async (request) => {
    // Compared with the time before the rollout, and not with an earlier stage of it.
    return await runCanary({ ...canaryFrom(request), onProgress: request.onProgress });
  },
};
