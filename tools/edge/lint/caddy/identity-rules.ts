import type { Topology } from "../../edge-config.ts";
import type { Finding, Rule } from "../finding.ts";
import { BEHIND_CDN, type HeaderContent, STRANGERS } from "../header-content.ts";
import {
  CLAIMS_CLEARED,
  describeTopology,
  IDENTITY_HEADERS,
  mendScheme,
  PROVE,
  UNKNOWN_VALUE,
} from "../lint-policy.ts";
import { type CaddyProxy, type Contents, followHeader } from "./headers.ts";
import type { CaddyDirective } from "./tree.ts";

const FORWARDED_FOR = "X-Forwarded-For";
const OVERWRITE = "header_up X-Forwarded-For {remote_host}";

/** What the headers that name a client hold behind a reverse_proxy. */
export function lintCaddyIdentity(
  proxy: CaddyProxy,
  topology: Topology,
  isOurs: boolean,
): Finding[] {
  return [
    ...lintForwardedFor(proxy),
    ...lintTrusted(proxy, topology),
    // What another application reads beside the address is its own affair.
    ...(isOurs ? lintOtherHeaders(proxy, topology) : []),
  ];
}

/** The topology that a file seems to be written for. */
export function inferTopology(proxies: readonly CaddyProxy[]): Topology {
  const kinds = proxies.flatMap((proxy) => [...followHeader(FORWARDED_FOR, proxy, true).keys()]);
  const strangers = proxies.flatMap((proxy) => [
    ...followHeader(FORWARDED_FOR, proxy, false).keys(),
  ]);
  if (kinds.join() === strangers.join()) return "direct";
  return kinds.includes("appended") ? "cdn-append" : "cdn";
}

function report(
  { file, line }: CaddyDirective,
  rule: Rule,
  message: string,
  mend: string,
): Finding {
  return { file, line, rule, message, mend };
}

/** What a stranger's X-Forwarded-For becomes: it must be the connection's address alone. */
function lintForwardedFor(proxy: CaddyProxy): Finding[] {
  return [...followHeader(FORWARDED_FOR, proxy, false)].flatMap(([kind, by]) => {
    const at = by ?? proxy.directive;
    switch (kind) {
      case "peer":
        return [];
      case "unknown":
        return [report(at, "not-followed", UNKNOWN_VALUE, PROVE)];
      case "appended":
      case "repeated": {
        const message =
          "a list goes on in place of the one address, so hops count from a wrong end";
        return [report(at, "appended-forwarded-for", message, OVERWRITE)];
      }
      case "none":
      case "constant": {
        const message = "this names no client, so all clients are one";
        return [report(at, "missing-forwarded-for", message, OVERWRITE)];
      }
      default: {
        const message = "this is what the client sent, so every client chooses its own address";
        return [report(at, "passed-through-forwarded-for", message, OVERWRITE)];
      }
    }
  });
}

/** What becomes of a list that the CDN sent. */
function lintTrusted(proxy: CaddyProxy, topology: Topology): Finding[] {
  const contents = followHeader(FORWARDED_FOR, proxy, true);
  const strangers = [...followHeader(FORWARDED_FOR, proxy, false).keys()].join();
  const found = [...contents.keys()];
  const at = [...contents.values()].find(Boolean) ?? proxy.directive;
  // A stranger's header that gets through is reported for what it is.
  if (strangers !== "peer") return [];
  if (contents.has("unknown")) return [report(at, "not-followed", UNKNOWN_VALUE, PROVE)];
  if (topology === "direct") {
    // trusted_proxies, which also makes a difference, is reported where it stands.
    if (found.join() === strangers || proxy.trust.isTrusting) return [];
    const message = `in topology direct ${describeTopology("direct")}; this makes a difference between peers`;
    return [report(at, "topology-mismatch", message, OVERWRITE)];
  }
  if (topology === "cdn" && contents.has("claimed")) {
    const message =
      "more of the CDN's list is taken than its last entry, and the rest is what the client wrote";
    const mend =
      "cut the last entry out with a map whose patterns end with $, as the rendered files do";
    return [report(contents.get("claimed") ?? at, "passed-through-forwarded-for", message, mend)];
  }
  if (fits(contents, topology)) return [];
  const message = `in topology ${topology} ${describeTopology(topology)}; here the CDN's peers are not treated so`;
  const mend =
    topology === "cdn"
      ? "a matcher of remote_ip, and vars that take the CDN's last entry where it matches"
      : "trusted_proxies with the CDN's addresses, and no header_up X-Forwarded-For";
  return [report(at, "topology-mismatch", message, mend)];
}

function fits(contents: Contents, topology: "cdn" | "cdn-append"): boolean {
  const found = [...contents.keys()];
  if (topology === "cdn-append") {
    // Caddy's own addition, and nobody else's.
    return found.join() === "appended" && contents.get("appended") === undefined;
  }
  return contents.has("named") && found.every((kind) => kind === "named" || kind === "peer");
}

function lintOtherHeaders(proxy: CaddyProxy, topology: Topology): Finding[] {
  const isClients = (name: string, fromTrusted: boolean, kinds: readonly HeaderContent[]) => {
    // What X-Forwarded-For says wrongly is reported there.
    const reported = followHeader(FORWARDED_FOR, proxy, fromTrusted);
    return [...followHeader(name, proxy, fromTrusted)].some(([kind, by]) => {
      return kinds.includes(kind) && (by === undefined || !reported.has(kind));
    });
  };
  const missing = IDENTITY_HEADERS.filter((name) => {
    // Behind a CDN the scheme is the CDN's to name.
    const isTrusted = name !== "X-Forwarded-Proto" && isClients(name, true, BEHIND_CDN);
    return isTrusted || isClients(name, false, STRANGERS);
  });
  const kept = CLAIMS_CLEARED.filter((name) => {
    return isClients(name, true, BEHIND_CDN) || isClients(name, false, STRANGERS);
  });
  const mends = {
    "X-Real-IP":
      topology === "cdn-append" ? "header_up -X-Real-IP" : "header_up X-Real-IP {remote_host}",
    "X-Forwarded-Proto": mendScheme("header_up X-Forwarded-Proto {scheme}", "https"),
  } as const;
  const findings: Finding[] = [];
  if (missing.length > 0) {
    const message = `${missing.join(" and ")} would be what the sender of the request wrote`;
    const mend = missing.map((name) => mends[name]).join("; ");
    findings.push(report(proxy.directive, "identity-header-missing", message, mend));
  }
  if (kept.length > 0) {
    const message = `${kept.join(", ")} would reach the service as the client sent it`;
    const mend = kept.map((name) => `header_up -${name}`).join("; ");
    findings.push(report(proxy.directive, "claim-header-kept", message, mend));
  }
  return findings;
}
