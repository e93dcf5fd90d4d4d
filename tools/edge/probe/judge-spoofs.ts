import type { Topology } from "../edge-config.ts";
import type { Identity } from "./ask-identity.ts";
import { type Check, doubtful, failed, passed } from "./check.ts";
import type { PublicRoute } from "./public-route.ts";
import type { ProbeResult } from "./send-probe.ts";

export type SpoofResult = { id: string; result: ProbeResult };

/** More names than this help nobody. */
const NAMES_MAX = 5;

/**
 * Judges one route: whatever a client claims, the service must take it for the same client as
 * without any claim, from the same number of entries, and without doubt.
 */
export function judgeSpoofs(
  route: PublicRoute,
  topology: Topology,
  honest: ProbeResult,
  spoofs: readonly SpoofResult[],
): Check {
  const subject = {
    id: `spoof.${route.id}`,
    title: `Spoofed addresses on ${route.path}${route.isUpgrade ? " (upgrade)" : ""}`,
    why: "a client that can choose its address has as many limits as it likes, or another's",
  };
  if (honest.kind === "refused") {
    const observed = `the edge answers ${honest.status}: it does not forward the route`;
    return failed(subject, observed, "render the edge anew: npm run -s edge -- render");
  }
  if (honest.kind === "unknown") {
    return doubtful(subject, honest.problem, "see that the edge and the direct address are right");
  }
  if (honest.warning !== "") {
    const observed = `even an honest request is in doubt (${honest.warning})`;
    return failed(subject, observed, "let the edge write the header before raising the hops");
  }
  const believed = spoofs.filter(({ result }) => isBelieved(honest, result, topology));
  if (believed.length > 0) {
    const observed = `${namesOf(believed)} changed who the client is, or what arrives`;
    return failed(subject, observed, "make the edge overwrite X-Forwarded-For on this very route");
  }
  const unknown = spoofs.filter(({ result }) => result.kind === "unknown");
  if (unknown.length > 0 || spoofs.length === 0) {
    return doubtful(subject, `no answer for ${namesOf(unknown)}`, "probe again");
  }
  const refused = spoofs.filter(({ result }) => result.kind === "refused").length;
  const derived = `${spoofs.length - refused} spellings derived ${honest.address}`;
  return passed(subject, `${derived}, ${refused} were refused`);
}

function isBelieved(honest: Identity, result: ProbeResult, topology: Topology): boolean {
  if (result.kind !== "identity") return false;
  // An edge that appends passes on what the CDN in front of it passes on.
  const isEntriesFixed = topology !== "cdn-append";
  return (
    result.address !== honest.address ||
    result.isForwarded !== honest.isForwarded ||
    result.warning !== "" ||
    (isEntriesFixed && result.entries !== honest.entries)
  );
}

function namesOf(results: readonly SpoofResult[]): string {
  const names = results.slice(0, NAMES_MAX).map(({ id }) => id);
  const more = results.length - names.length;
  return `${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
