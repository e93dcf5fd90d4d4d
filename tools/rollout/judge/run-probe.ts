import { SPOOFS } from "../../edge/spoof.ts";
import type { Check } from "../terms/verdict.ts";
import { checkClosedAtEdge, checkClosedDirectly } from "./check-closed.ts";
import { checkDependencies } from "./check-dependencies.ts";
import { checkDirectAccess } from "./check-direct-access.ts";
import { checkUpgrade } from "./check-upgrade.ts";
import { mapConcurrently } from "./concurrently.ts";
import type { Deployment } from "./deployment.ts";
import { judgeSpoofs } from "./judge-spoofs.ts";
import { withOneCause } from "./one-cause.ts";
import { PUBLIC_ROUTES, type PublicRoute } from "./public-route.ts";
import { sendProbe } from "./send-probe.ts";

export type ProbeOptions = Deployment & {
  /** How long a websocket is left silent. */
  idleSeconds: number;
  /** Tells people what is under way. */
  onProgress?: ((text: string) => void) | undefined;
};

/** Few enough that a probe is no load test. */
const PROBES_MAX = 8;

/** Attacks a live deployment through its edge and past it, without costing anybody a limit. */
export async function runProbe(options: ProbeOptions): Promise<Check[]> {
  const progress = options.onProgress ?? (() => undefined);
  const upgrade = checkUpgrade(options, options.idleSeconds);
  const checks: Check[] = [];
  for (const route of PUBLIC_ROUTES) {
    progress(`spoofing on ${route.id}`);
    checks.push(await checkRoute(options, route));
  }
  progress("knocking at what is not public");
  checks.push(await checkClosedAtEdge(options), await checkClosedDirectly(options));
  checks.push(await checkDirectAccess(options), await checkDependencies(options));
  progress("waiting for the silent websocket");
  return await withOneCause(options, [...checks, await upgrade]);
}

async function checkRoute(options: ProbeOptions, route: PublicRoute): Promise<Check> {
  const honest = await sendProbe(options, route, []);
  const isKnown = honest.kind === "identity";
  const spoofs = await mapConcurrently(isKnown ? SPOOFS : [], PROBES_MAX, async (spoof) => {
    return { id: spoof.id, result: await sendProbe(options, route, spoof.headers) };
  });
  return judgeSpoofs(route, options.topology, honest, spoofs);
}
