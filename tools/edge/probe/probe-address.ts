import { resolve4, resolve6 } from "node:dns/promises";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { type Check, doubtful, passed } from "./check.ts";
import { checkClosedAtEdge } from "./check-closed-at-edge.ts";
import { checkSizes } from "./check-sizes.ts";
import { checkSpoofs } from "./check-spoofs.ts";
import type { Deployment } from "./deployment.ts";
import { PROBE_ROUTES, PUBLIC_ROUTES } from "./public-route.ts";

/** Attacks one running edge; the services behind it are asked whom they took each request for. */
export async function probeAddress(deployment: Deployment): Promise<Check[]> {
  const checks: Check[] = [];
  for (const route of PUBLIC_ROUTES) checks.push(await checkSpoofs(deployment, route));
  checks.push(await checkClosedAtEdge(deployment));
  checks.push(await checkSizes(deployment.edgeUrl, "HTTP/1.1"));
  const isTls = new URL(deployment.edgeUrl).protocol === "https:";
  // Without TLS no browser speaks HTTP/2.
  if (isTls) {
    checks.push(await checkClosedAtEdge(deployment, "HTTP/2"));
    checks.push(await checkSizes(deployment.edgeUrl, "HTTP/2"));
  }
  checks.push(await checkIpv6(deployment));
  return checks;
}

/** The same spoofs over IPv6, where this machine and the edge have it. */
async function checkIpv6(deployment: Deployment): Promise<Check> {
  const subject = {
    id: "family.ipv6",
    title: "A client over IPv6",
    why: "a client of the other family can be another one to the edge, or none at all",
  };
  const { edgeUrl } = deployment;
  const host = new URL(edgeUrl).hostname.replace(/^\[|\]$/g, "");
  const isNamed = isIP(host) === 0;
  const address = isNamed ? (await resolve6(host).catch(() => []))[0] : undefined;
  if (isIP(host) === 6)
    return passed(subject, `${host} is an address of IPv6: all above came over it`);
  if (address === undefined) {
    const has4 = isNamed && (await resolve4(host).catch(() => [])).length > 0;
    return passed(
      subject,
      `${host} ${has4 || !isNamed ? "has no address of IPv6" : "is no name of DNS"}`,
    );
  }
  if (!hasIpv6()) {
    return doubtful(subject, "this machine has no address of IPv6", "probe from one that has");
  }
  const url = new URL(edgeUrl);
  if (url.protocol === "https:") {
    const observed = `${host} is ${address} as well, under a certificate for its name alone`;
    return doubtful(subject, observed, "probe from a machine that prefers IPv6");
  }
  url.hostname = `[${address}]`;
  const check = await checkSpoofs({ ...deployment, edgeUrl: url.href }, PROBE_ROUTES.auth);
  return { ...check, ...subject };
}

function hasIpv6(): boolean {
  const all = Object.values(networkInterfaces()).flatMap((infos) => infos ?? []);
  return all.some(({ family, internal, scopeid }) => family === "IPv6" && !internal && !scopeid);
}
