import { PROBE_HEADER } from "../../runtime/probe.ts";
import type { ProbeMemory } from "../../runtime/probe-memory.ts";
import type { DoorRequest } from "./exchange.ts";

/** Remembers how a request arrived, if it is a probe of the operator. */
export function observeProbe(probes: ProbeMemory, { headers, remote }: DoorRequest): void {
  const lines = headers.get(PROBE_HEADER) ?? [];
  if (lines.length !== 1) return;
  probes.observe({ remote, forwardedLines: headers.get("x-forwarded-for") ?? [] }, lines[0]);
}
