import { doubtful, failed, passed, type Subject } from "../../edge/probe/check.ts";
import type { Deployment, PublicServiceName } from "../../edge/probe/deployment.ts";
import { PROBE_ROUTES } from "../../edge/probe/public-route.ts";
import { type ProbeResult, sendProbe } from "../../edge/probe/send-probe.ts";
import type { HeaderLine } from "../../edge/spoof.ts";
import { SPOOFED_V4 } from "../../edge/spoof.ts";
import type { Check } from "../terms/verdict.ts";
import type { ServiceFacts } from "./gather-facts.ts";

const LIE: HeaderLine = ["X-Forwarded-For", SPOOFED_V4];

/**
 * Whether the edge writes as many entries as the service's hops will need. This can be measured
 * before the hops are raised, since a service counts entries whatever its hops.
 */
export async function checkEdgeHeader(
  deployment: Deployment,
  name: PublicServiceName,
  facts: ServiceFacts | undefined,
): Promise<Check> {
  const subject = {
    id: `edge.header.${name}`,
    title: `X-Forwarded-For as it reaches ${name}`,
    why: "hops without the header put every client into the bucket of the edge",
  };
  const route = PROBE_ROUTES[name];
  const honest = await sendProbe(deployment, route, []);
  const lying = await sendProbe(deployment, route, [LIE]);
  return judgeEdgeHeader(subject, { hops: facts?.hops, honest, lying });
}

/** Compares how an honest request and one with a forged entry arrive behind the edge. */
export function judgeEdgeHeader(
  subject: Subject,
  measured: { hops: number | undefined; honest: ProbeResult; lying: ProbeResult },
): Check {
  const { hops, honest, lying } = measured;
  if (honest.kind !== "identity" || lying.kind !== "identity") {
    const observed = honest.kind === "identity" ? textOf(lying) : textOf(honest);
    return doubtful(subject, observed, "see that the edge runs and forwards the route");
  }
  if (hops === undefined) {
    return doubtful(subject, "the hops are unknown", "give the environment file");
  }
  const observed = `${honest.entries} entries, hops ${hops}`;
  if (honest.entries < hops) {
    const mend = "deploy the edge that writes the header first, and only then raise the hops";
    return failed(subject, observed, mend);
  }
  if (hops > 0 && honest.byHops[hops] === "") {
    return failed(subject, `${observed}, one of them no address`, "render the edge anew");
  }
  if (lying.byHops[hops] !== honest.byHops[hops]) {
    const mend = "let the edge overwrite the header, or count only what it writes";
    return failed(subject, `${observed}, and the client's own entry is believed`, mend);
  }
  return passed(subject, observed);
}

function textOf(result: ProbeResult): string {
  if (result.kind === "refused") return `the edge refused with ${result.status}`;
  return result.kind === "unknown" ? result.problem : "";
}
