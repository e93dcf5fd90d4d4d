import { doubtful, failed, passed } from "../../edge/probe/check.ts";
import type { Deployment } from "../../edge/probe/deployment.ts";
import { PROBE_ROUTES } from "../../edge/probe/public-route.ts";
import { type ProbeResult, sendProbe } from "../../edge/probe/send-probe.ts";
import type { Check } from "../terms/verdict.ts";

export type AgreementSample = { auth: ProbeResult; gateway: ProbeResult };

/** Asks both public services, through the edge, whom they take us for. */
export async function sampleAgreement(deployment: Deployment): Promise<AgreementSample> {
  const [auth, gateway] = await Promise.all([
    sendProbe(deployment, PROBE_ROUTES.auth, []),
    sendProbe(deployment, PROBE_ROUTES.gateway, []),
  ]);
  return { auth, gateway };
}

/**
 * Every sample must show one address at both services, without a warning: services that disagree
 * split a client's limits.
 */
export function judgeAgreement(samples: readonly AgreementSample[]): Check {
  const subject = {
    id: "canary.identity",
    title: "Who auth and the gateway take the same client for",
    why: "services that disagree give one client several identities, or many clients one",
  };
  for (const { auth, gateway } of samples) {
    if (auth.kind !== "identity" || gateway.kind !== "identity") {
      const observed = [problemOf("auth", auth), problemOf("gateway", gateway)].filter(Boolean);
      return doubtful(
        subject,
        observed.join("; "),
        "see that the edge forwards, and set the token",
      );
    }
    const doubted = [auth, gateway].find(({ warning }) => warning !== "");
    if (doubted !== undefined) {
      const observed = `in doubt: ${doubted.warning}, so everybody is ${doubted.address}`;
      return failed(subject, observed, "let the edge write the header before raising the hops");
    }
    if (auth.address !== gateway.address) {
      const observed = `auth says ${auth.address}, the gateway ${gateway.address}`;
      return failed(subject, observed, "set equal hops; npm run rollout -- align tells which");
    }
  }
  const [first] = samples;
  if (first?.auth.kind !== "identity")
    return doubtful(subject, "not asked", "run the canary again");
  return passed(subject, `${first.auth.address} in ${samples.length} of ${samples.length} samples`);
}

function problemOf(name: string, result: ProbeResult): string {
  if (result.kind === "identity") return "";
  return `${name}: ${result.kind === "refused" ? `refused with ${result.status}` : result.problem}`;
}
