import { networkInterfaces } from "node:os";
import type { Check } from "../verdict.ts";
import { askIdentity } from "./ask-identity.ts";
import { type Deployment, PUBLIC_SERVICES, type PublicServiceName } from "./deployment.ts";
import { doubtful, failed, passed } from "./finding.ts";
import { isLoopback } from "./loopback.ts";
import { SPOOFED_V4 } from "./spoof.ts";

/** As many entries as hops can be, so that any number of them finds one. */
const SPOOFED_LIST = Array.from({ length: 8 }, () => SPOOFED_V4).join(", ");
/** A machine with more addresses than this is asked at the first ones. */
const ADDRESSES_MAX = 8;

type Place = { name: PublicServiceName; url: string };

/**
 * Whether whoever reaches a service past the edge may say who he is. A service at a loopback
 * address is tried at this machine's other addresses, too: it may listen there as well.
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
  const places = PUBLIC_SERVICES.map((name): Place => ({ name, url: deployment.services[name] }));
  const others = places
    .filter(({ url }) => isLoopback(url))
    .flatMap((place) => machineAddresses.map((address) => at(place, address)));
  const own = await Promise.all(places.map(async (place) => await askAt(deployment, place)));
  const other = await Promise.all(others.map(async (place) => await askAt(deployment, place)));

  const exposed = [
    ...own.filter(({ url, isBelieved }) => isBelieved && !isLoopback(url)),
    ...other.filter(({ isBelieved }) => isBelieved),
  ];
  if (exposed.length > 0) {
    const where = exposed.map(({ name, url }) => `${name} at ${url}`).join(", ");
    const mend = "set TRUSTED_PROXY_CIDRS to the edge's addresses, or close the port to all others";
    return failed(subject, `a spoofed address was believed by ${where}`, mend);
  }
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

async function askAt(deployment: Deployment, place: Place) {
  const services = { ...deployment.services, [place.name]: place.url };
  const headers = [["X-Forwarded-For", SPOOFED_LIST]] as const;
  const answer = await askIdentity({ ...deployment, services }, place.name, { headers });
  const isKnown = answer.kind === "identity";
  return { ...place, isKnown, isBelieved: isKnown && answer.address === SPOOFED_V4 };
}

function at({ name, url }: Place, address: string): Place {
  const moved = new URL(url);
  moved.hostname = address.includes(":") ? `[${address}]` : address;
  return { name, url: moved.origin };
}

/** Addresses under which other machines may reach this one; link-local ones need an interface. */
function findMachineAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((infos) => infos ?? [])
    .filter(({ internal, scopeid }) => !internal && !scopeid)
    .map(({ address }) => address)
    .slice(0, ADDRESSES_MAX);
}
