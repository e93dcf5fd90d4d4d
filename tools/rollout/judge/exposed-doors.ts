import { lookup } from "node:dns/promises";
import { callHttp } from "../../edge/probe/call-http.ts";
import { type Deployment, type Door, doorUrl } from "../../edge/probe/deployment.ts";
import { isLoopback } from "./loopback.ts";

/** Doors for services and operators only. */
const INNER: readonly Door[] = ["limiter", "authAdmin", "gatewayRpc"];

/**
 * Finds inner doors that other clients can reach: at the host name of the edge and, for a door at a
 * loopback address, at this machine's other addresses.
 */
export async function findExposedDoors(
  deployment: Deployment,
  machineAddresses: readonly string[],
): Promise<{ door: Door; url: string }[]> {
  const outside = await findOutsideName(deployment.edgeUrl, machineAddresses);
  const places = INNER.flatMap((door) => {
    const url = doorUrl(deployment, door);
    const addresses = isLoopback(url) ? [...machineAddresses, ...outside] : outside;
    return addresses.map((address) => ({ door, url: moved(url, address) }));
  });
  const answers = await Promise.all(
    places.map(async (place) => ({ place, isOurs: await isOurs(deployment, place.url) })),
  );
  return answers.filter((answer) => answer.isOurs).map(({ place }) => place);
}

/** The same port at another address. */
export function moved(url: string, address: string): string {
  const there = new URL(url);
  const isBareIpv6 = address.includes(":") && !address.startsWith("[");
  there.hostname = isBareIpv6 ? `[${address}]` : address;
  return there.origin;
}

/** The edge's host name; none if it resolves to this machine, which cannot test outside access. */
async function findOutsideName(
  edgeUrl: string,
  machineAddresses: readonly string[],
): Promise<string[]> {
  if (isLoopback(edgeUrl)) return [];
  const { hostname } = new URL(edgeUrl);
  const bare = hostname.replace(/^\[|\]$/g, "");
  const found = await lookup(bare, { all: true }).catch(() => []);
  const isHere = found.some(({ address }) => {
    return machineAddresses.includes(address) || address === "::1" || address.startsWith("127.");
  });
  return isHere || found.length === 0 ? [] : [hostname];
}

/** Another program may listen on that port; only our services answer /healthz with "alive". */
async function isOurs({ signal }: Deployment, url: string): Promise<boolean> {
  const answer = await callHttp({ url: new URL("/healthz", url), signal });
  return answer.kind === "answer" && /"status":\s*"alive"/.test(answer.body);
}
