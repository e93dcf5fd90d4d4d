import pLimit from "p-limit";
import { SPOOFS } from "../spoof.ts";
import type { Check } from "./check.ts";
import type { Deployment } from "./deployment.ts";
import { judgeSpoofs } from "./judge-spoofs.ts";
import type { PublicRoute } from "./public-route.ts";
import { sendProbe } from "./send-probe.ts";

/** Few enough that a probe is no load test. */
const PROBES_MAX = 8;

/** Sends every spoof on one route, and judges whom the service took each request for. */
export async function checkSpoofs(options: Deployment, route: PublicRoute): Promise<Check> {
  const honest = await sendProbe(options, route, []);
  const isKnown = honest.kind === "identity";
  const spoofs = await pLimit(PROBES_MAX).map(isKnown ? SPOOFS : [], async (spoof) => {
    return { id: spoof.id, result: await sendProbe(options, route, spoof.headers) };
  });
  return judgeSpoofs(route, options.topology, honest, spoofs);
}
