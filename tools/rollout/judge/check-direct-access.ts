import type { Check } from "../verdict.ts";
import { askIdentity } from "./ask-identity.ts";
import { type Deployment, PUBLIC_SERVICES } from "./deployment.ts";
import { doubtful, failed, passed } from "./finding.ts";
import { isLoopback } from "./loopback.ts";
import { SPOOFED_V4 } from "./spoof.ts";

/** Whether whoever reaches a service past the edge may say who he is. */
export async function checkDirectAccess(deployment: Deployment): Promise<Check> {
  const subject = {
    id: "access.direct",
    title: "Claims of callers that go past the edge",
    why: "hop counts alone believe whoever reaches the port directly",
  };
  const answers = await Promise.all(
    PUBLIC_SERVICES.map(async (name) => {
      const headers = Array.from({ length: 8 }, () => SPOOFED_V4).join(", ");
      const ask = { headers: [["X-Forwarded-For", headers]] as const };
      return { name, answer: await askIdentity(deployment, name, ask) };
    }),
  );
  const unknown = answers.filter(({ answer }) => answer.kind !== "identity");
  const believing = answers.filter(
    ({ answer }) => answer.kind === "identity" && answer.address === SPOOFED_V4,
  );
  const exposed = believing
    .map(({ name }) => name)
    .filter((name) => !isLoopback(deployment.services[name]));
  if (exposed.length > 0) {
    const mend = "set TRUSTED_PROXY_CIDRS to the edge's addresses, or close the port to all others";
    return failed(subject, `${exposed.join(" and ")} believed a spoofed address`, mend);
  }
  if (unknown.length > 0) {
    const names = unknown.map(({ name }) => name).join(" and ");
    return doubtful(subject, `${names} could not be asked`, "set the operator's token");
  }
  const local = believing.map(({ name }) => name).join(" and ");
  const observed =
    believing.length === 0
      ? "no service believes them"
      : `${local} would, but only this machine reaches a loopback address`;
  return passed(subject, observed);
}
