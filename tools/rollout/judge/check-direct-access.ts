import { networkInterfaces } from "node:os";
import { askIdentity } from "../../edge/probe/ask-identity.ts";
import { doubtful, failed, passed } from "../../edge/probe/check.ts";
import {
  type Deployment,
  doorUrl,
  PUBLIC_SERVICES,
  type PublicServiceName,
} from "../../edge/probe/deployment.ts";
import { PROBE_ROUTES } from "../../edge/probe/public-route.ts";
import { sendProbe } from "../../edge/probe/send-probe.ts";
import { SPOOFED_V4 } from "../../edge/spoof.ts";
import type { Check } from "../terms/verdict.ts";
import { findExposedDoors, moved } from "./exposed-doors.ts";
import { isLoopback } from "./loopback.ts";

/** As many entries as there can be hops, so that any number of hops derives a spoofed one. */
const SPOOFED_LIST = Array.from({ length: 8 }, () => SPOOFED_V4).join(", ");
/** Of more addresses than this, only the first are tried. */
const ADDRESSES_MAX = 8;

type Place = { name: PublicServiceName; url: string };

/**
 * Checks what clients can do without the edge: whether a service called directly believes
 * X-Forwarded-For, and whether the doors of operators and services are reachable. A service at a
 * loopback address is also tried at this machine's other addresses, where it may listen too.
 */
export async function checkDirectAccess(
  deployment: Deployment,
  machineAddresses: readonly string[] = findMachineAddresses(),
): Promise<Check> {
  const subject = {
    id: "access.direct",
    title: "Claims of callers that go past the edge",
    why: "hop counts alone believe whoever reaches the port directly",
  };
  const places = PUBLIC_SERVICES.map((name): Place => ({ name, url: doorUrl(deployment, name) }));
  const others = places
    .filter(({ url }) => isLoopback(url))
    .flatMap(({ name, url }) => machineAddresses.map((at) => ({ name, url: moved(url, at) })));
  const own = await Promise.all(places.map(async (place) => await askAt(deployment, place)));
  const other = await Promise.all(others.map(async (place) => await askAt(deployment, place)));
  const open = await findExposedDoors(deployment, machineAddresses);

  const exposed = [
    ...own.filter(({ url, isBelieved }) => isBelieved && !isLoopback(url)),
    ...other.filter(({ isBelieved }) => isBelieved),
  ];
  if (exposed.length > 0 || open.length > 0) return describeExposure(subject, exposed, open);
  if (own.some(({ isKnown }) => !isKnown)) {
    const names = own.filter(({ isKnown }) => !isKnown).map(({ name }) => name);
    return doubtful(
      subject,
      `${names.join(" and ")} could not be asked`,
      "set the operator's token",
    );
  }
  const local = own.filter(({ isBelieved }) => isBelieved).map(({ name }) => name);
  if (local.length === 0) return passed(subject, "no service believes them");
  return passed(
    subject,
    `${local.join(" and ")} would, at loopback addresses of this machine alone`,
  );
}

function describeExposure(
  subject: Pick<Check, "id" | "title" | "why">,
  believing: readonly Place[],
  open: readonly { door: string; url: string }[],
): Check {
  const where = (list: readonly string[]) => list.join(", ");
  const spoofed = believing.map(({ name, url }) => `${name} at ${url}`);
  const ports = open.map(({ door, url }) => `${door} at ${url}`);
  const observed = [
    ...(spoofed.length > 0 ? [`a spoofed address was believed by ${where(spoofed)}`] : []),
    ...(ports.length > 0 ? [`ports of operators and services answer: ${where(ports)}`] : []),
  ];
  const mend = [
    ...(spoofed.length > 0
      ? ["set TRUSTED_PROXY_CIDRS to the edge's addresses, or close the port to all others"]
      : []),
    ...(ports.length > 0 ? ["bind these ports to an inner address, or close them to others"] : []),
  ];
  return failed(subject, observed.join("; "), mend.join("; "));
}

async function askAt(deployment: Deployment, place: Place) {
  const headers = [["X-Forwarded-For", SPOOFED_LIST]] as const;
  const answer =
    place.name === "gateway"
      ? // Its public port tells nobody who is calling; its operator door reports the probe.
        await sendProbe({ ...deployment, edgeUrl: place.url }, PROBE_ROUTES.gateway, headers)
      : await askIdentity(
          { ...deployment, services: { ...deployment.services, [place.name]: place.url } },
          place.name,
          { headers },
        );
  const isKnown = answer.kind === "identity";
  return { ...place, isKnown, isBelieved: isKnown && answer.address === SPOOFED_V4 };
}

/**
 * Addresses at which other machines may reach this one; not link-local ones, which need an
 * interface.
 */
function findMachineAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((infos) => infos ?? [])
    .filter(({ internal, scopeid }) => !internal && !scopeid)
    .map(({ address }) => address)
    .slice(0, ADDRESSES_MAX);
}
