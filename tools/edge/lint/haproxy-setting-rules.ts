import type { Finding, Rule } from "./finding.ts";
import { findFrontends, findLast, type HaproxyRoute, modeOf } from "./haproxy-routes.ts";
import type { HaproxyLine, HaproxySection } from "./haproxy-sections.ts";
import { HEAD_BYTES_MAX, REALTIME_TIMEOUT_SECONDS_MIN } from "./lint-policy.ts";
import { holdsStrangers } from "./wide-range.ts";

/** HAProxy keeps this much of a buffer free for the headers that it adds itself. */
const REWRITE_BYTES = 1_024;

/** Settings that are wrong wherever they stand. */
export function lintHaproxySettings(sections: readonly HaproxySection[]): Finding[] {
  const lines = sections.flatMap((section) => section.lines);
  const measuresHeads = lines.some(({ words }) => {
    return words.some((word) => word.startsWith("req.hdrs,length"));
  });
  // Then a head that is too long is answered here, whatever the buffer holds.
  const settings = lines.flatMap(lintLine).filter(({ rule }) => {
    return rule !== "header-limit-too-large" || !measuresHeads;
  });
  return [...settings, ...findFrontends(sections).flatMap(lintMode)];
}

function report(at: HaproxyLine, rule: Rule, message: string, mend: string): Finding {
  return { file: at.file, line: at.line, rule, message, mend };
}

function lintLine(line: HaproxyLine): Finding[] {
  const [first = "", second = "", ...rest] = line.words;
  const text = line.words.join(" ");
  if (first === "bind" && line.words.some((word) => /^accept-(proxy|netscaler-cip)$/.test(word))) {
    return [fromProxyProtocol(line)];
  }
  if (/^(tcp-request connection|http-request) expect-(proxy|netscaler-cip)/.test(text)) {
    return [fromProxyProtocol(line)];
  }
  if (
    ["server", "default-server", "server-template"].includes(first) &&
    /\bsend-proxy/.test(text)
  ) {
    const message =
      "the services do not read the PROXY protocol; to them these bytes are a broken request";
    return [
      report(
        line,
        "proxy-protocol",
        message,
        "remove send-proxy; X-Forwarded-For says who the client is",
      ),
    ];
  }
  if (isSource(line) && line.words.some(holdsStrangers)) {
    const message = "every client is trusted to name its own address";
    return [
      report(line, "trusts-everyone", message, "name the addresses that your CDN connects from"),
    ];
  }
  if (first === "option" && second === "accept-invalid-http-request") {
    const message = "names and bytes that are no header reach the service";
    return [report(line, "odd-headers-passed", message, "remove the option")];
  }
  if (first === "tune.bufsize" && Number(second) > HEAD_BYTES_MAX + REWRITE_BYTES) {
    const message = `the services accept ${HEAD_BYTES_MAX} bytes for a whole head, so a longer one fails behind this proxy`;
    return [report(line, "header-limit-too-large", message, `tune.bufsize ${HEAD_BYTES_MAX}`)];
  }
  const passesNominations = /^set-header connection .*hdr\(connection\)/i.test(
    [second, ...rest].join(" "),
  );
  if (first === "http-request" && passesNominations) {
    const message =
      "this passes on what the client nominates, and the next hop may remove those headers, X-Forwarded-For among them";
    return [report(line, "nominated-headers", message, "http-request del-header Connection")];
  }
  return [];
}

function isSource({ words }: HaproxyLine): boolean {
  return (words[0] === "acl" && words[2] === "src") || words.join(" ").includes("{ src ");
}

function fromProxyProtocol(line: HaproxyLine): Finding {
  const message =
    "with the PROXY protocol an address is whatever the first bytes of a connection say, and anybody who reaches this port can write them";
  return report(
    line,
    "proxy-protocol",
    message,
    "take the address from the connection, or from the CDN's header",
  );
}

/** A frontend that is not HTTP passes the client's headers on and adds none. */
function lintMode(section: HaproxySection): Finding[] {
  if (modeOf(section) !== "tcp") return [];
  const message =
    "connections are passed on as they are; the service sees this proxy as its client";
  const at = findLast(section, (words) => words[0] === "mode") ?? section;
  return [{ file: at.file, line: at.line, rule: "tcp-mode", message, mend: "mode http" }];
}

/** How long a silent websocket lives. */
export function lintRealtimeTimeout({ frontend, backend }: HaproxyRoute): Finding[] {
  const find = (section: HaproxySection, name: string) => {
    return findLast(section, (words) => words[0] === "timeout" && words[1] === name);
  };
  const tunnel = find(backend, "tunnel") ?? find(frontend, "tunnel");
  // Without a timeout for tunnels, those for requests and answers go on.
  const inEffect =
    tunnel === undefined ? [find(frontend, "client"), find(backend, "server")] : [tunnel];
  const short = inEffect.flatMap((line) => {
    const isShort =
      line !== undefined && readSeconds(line.words[2] ?? "") < REALTIME_TIMEOUT_SECONDS_MIN;
    return isShort ? [line] : [];
  });
  return short.slice(0, 1).map((line) => {
    const message = `a websocket that is silent for ${line.words[2]} is cut; the gateway pings every 25 s, and one ping may get lost`;
    return report(line, "realtime-timeout-short", message, "timeout tunnel 75s");
  });
}

/** Reads a time as HAProxy writes it: "75s", "2m", or milliseconds. */
function readSeconds(text: string): number {
  const match = /^(\d+)(us|ms|s|m|h|d)?$/.exec(text);
  const factors = { us: 0.000_001, ms: 0.001, s: 1, m: 60, h: 3_600, d: 86_400 } as const;
  const factor = Object.entries(factors).find(([unit]) => unit === match?.[2])?.[1] ?? 0.001;
  return Number(match?.[1] ?? Number.POSITIVE_INFINITY) * factor;
}
