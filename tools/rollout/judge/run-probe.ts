import { checkClosedAtEdge } from "../../edge/probe/check-closed-at-edge.ts";
import { checkSpoofs } from "../../edge/probe/check-spoofs.ts";
import type { Deployment } from "../../edge/probe/deployment.ts";
import { PUBLIC_ROUTES } from "../../edge/probe/public-route.ts";
import type { Check } from "../terms/verdict.ts";
import { checkClosedDirectly } from "./check-closed.ts";
import { checkDependencies } from "./check-dependencies.ts";
import { checkDirectAccess } from "./check-direct-access.ts";
import { checkUpgrade } from "./check-upgrade.ts";
import { withOneCause } from "./one-cause.ts";

export type ProbeOptions = Deployment & {
  /** How long a websocket is left silent. */
  idleSeconds: number;
  /** Tells people what is under way. */
  onProgress?: ((text: string) => void) | undefined;
};

/** Attacks a live deployment through its edge and past it, without costing anybody a limit. */
export async function runProbe(options: ProbeOptions): Promise<Check[]> {
  const progress = options.onProgress ?? (() => undefined);
  const upgrade = checkUpgrade(options, options.idleSeconds);
  const checks: Check[] = [];
  for (const route of PUBLIC_ROUTES) {
    progress(`spoofing on ${route.id}`);
    checks.push(await checkSpoofs(options, route));
  }
  progress("knocking at what is not public");
  checks.push(await checkClosedAtEdge(options), await checkClosedDirectly(options));
  checks.push(await checkDirectAccess(options), await checkDependencies(options));
  progress("waiting for the silent websocket");
  return await withOneCause(options, [...checks, await upgrade]);
}
