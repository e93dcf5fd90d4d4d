import type { Finding } from "../finding.ts";
import type { OurUpstreams } from "../our-upstreams.ts";
import { holdsStrangers } from "../trusted-range.ts";
import { withoutCondition } from "./conditions.ts";
import { reportAt } from "./finding.ts";
import { findFrontends, findLast, modeOf } from "./routes.ts";
import type { HaproxyLine, HaproxySection } from "./sections.ts";
import { addressesOf } from "./upstreams.ts";

/** Who may announce an address here, and to whom this proxy announces one. */
export function lintProxyProtocol(
  sections: readonly HaproxySection[],
  ours: OurUpstreams,
): Finding[] {
  return sections.flatMap((section) => {
    const addresses = addressesOf(section);
    return section.lines.flatMap((line) => [
      ...lintAccepting(line),
      ...lintSending(line, addresses, ours),
    ]);
  });
}

function lintAccepting(line: HaproxyLine): Finding[] {
  const [first = "", second = ""] = line.words;
  const isAtDoor =
    first === "bind" &&
    line.words.some((word) => /^accept-(proxy|netscaler-cip)$/.test(word)) &&
    !isLoopback(second);
  const rule = withoutCondition(line.words).join(" ");
  const isExpected =
    /^(tcp-request connection|http-request) expect-(proxy|netscaler-cip)/.test(rule) &&
    !namesPeers(line);
  if (!isAtDoor && !isExpected) return [];
  const message =
    "whoever reaches this port announces an address of its choice; nothing here says who the balancer is";
  const mend =
    "tcp-request connection expect-proxy layer4 if { src <the balancer's addresses> }, without accept-proxy";
  return [reportAt(line, "proxy-protocol", message, mend)];
}

/** Whether a rule is for some peers alone; which they are, a named condition says elsewhere. */
function namesPeers({ words }: HaproxyLine): boolean {
  const at = words.indexOf("if");
  return at > 0 && !words.slice(at).some(holdsStrangers);
}

function lintSending(
  line: HaproxyLine,
  addresses: readonly string[],
  ours: OurUpstreams,
): Finding[] {
  const [first = "", , address = ""] = line.words;
  const isSending = line.words.some((word) => /^send-proxy(-v2\S*)?$/.test(word));
  const targets = first === "server" ? [address] : first === "default-server" ? addresses : [];
  // Whatever else is there may well read the protocol, as a proxy of one's own does.
  if (!isSending || targets.length === 0 || !ours.isAmong(targets)) return [];
  const message =
    "the services do not read the PROXY protocol; to them these bytes are a broken request";
  const mend = "remove send-proxy; X-Forwarded-For says who the client is";
  return [{ ...reportAt(line, "proxy-protocol", message, mend), severity: "error" }];
}

/** Frontends that pass connections on as they are to services, or to a proxy that is not told. */
export function lintTcpMode(sections: readonly HaproxySection[], ours: OurUpstreams): Finding[] {
  return findFrontends(sections).flatMap((frontend) => {
    if (modeOf(frontend) !== "tcp") return [];
    const servers = findServers(sections, frontend);
    const isLost = servers.some(({ words }) => {
      const address = words[2] ?? "";
      const isTold = words.some((word) => /^send-proxy(-v2\S*)?$/.test(word));
      return ours.isAmong([address]) || (!isTold && isServedHere(address, sections));
    });
    if (!isLost) return [];
    const message =
      "connections are passed on as they are; what is behind sees this proxy as its client";
    const at = findLast(frontend, (words) => words[0] === "mode") ?? frontend;
    const mend = "mode http; or, to a proxy of your own, send-proxy-v2 and accept-proxy";
    return [{ file: at.file, line: at.line, rule: "tcp-mode", message, mend }];
  });
}

function findServers(
  sections: readonly HaproxySection[],
  frontend: HaproxySection,
): readonly HaproxyLine[] {
  const lines = [...frontend.defaults, ...frontend.lines];
  const names = lines.flatMap(({ words: [first = "", name = ""] }) => {
    return ["use_backend", "default_backend"].includes(first) ? [name] : [];
  });
  const backends = sections.filter(({ kind, name }) => {
    return ["backend", "listen"].includes(kind) && names.includes(name);
  });
  return [frontend, ...backends].flatMap((section) => {
    return section.lines.filter(({ words }) => words[0] === "server");
  });
}

/** Whether an HTTP frontend of the same file listens at a server's address. */
function isServedHere(address: string, sections: readonly HaproxySection[]): boolean {
  return findFrontends(sections)
    .filter((section) => modeOf(section) === "http")
    .flatMap(({ lines }) => lines.filter(({ words }) => words[0] === "bind"))
    .some(({ words }) => words[1] === address);
}

function isLoopback(address: string): boolean {
  return /^(127\.|\[::1\]|::1:|localhost|unix@|abns@|abnsz@|\/|fd@|sockpair@)/.test(
    address.replace(/^ipv[46]@/, ""),
  );
}
