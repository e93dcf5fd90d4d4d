import type { Topology } from "../../edge-config.ts";
import type { Finding } from "../finding.ts";
import { describeStrangers } from "../trusted-range.ts";
import type { CaddyDirective } from "./tree.ts";

/** Matchers and options that hold ranges of addresses. */
const RANGES = ["remote_ip", "client_ip", "trusted_proxies"];

/** Whom Caddy believes: directives that are wrong wherever they stand. */
export function lintTrustedProxies(
  { words, block, file, line }: CaddyDirective,
  topology: Topology | undefined,
): Finding[] {
  // "@name not remote_ip …" is about the same ranges.
  const [name] = words.filter((word) => !word.startsWith("@") && word !== "not");
  const wraps =
    name === "listener_wrappers" && block.some((one) => one.words[0] === "proxy_protocol");
  if (name === "proxy_protocol" || wraps) {
    const message =
      "with the PROXY protocol an address is whatever the first bytes of a connection say";
    const mend = "take the address from the connection";
    return [{ file, line, rule: "proxy-protocol", message, mend }];
  }
  if (RANGES.includes(name ?? "")) {
    const [message] = words.flatMap((word) => describeStrangers(word) ?? []);
    if (message !== undefined) {
      const mend = "name the addresses that your CDN connects from";
      return [{ file, line, rule: "trusts-everyone", message, mend }];
    }
  }
  if (name !== "trusted_proxies" || topology !== "direct") return [];
  const message =
    "in topology direct no proxy stands before this one, so nobody's X-Forwarded-For is to be believed";
  const mend = "remove trusted_proxies, or choose the topology it is for";
  return [{ file, line, rule: "topology-mismatch", message, mend }];
}
