import type { Finding } from "../finding.ts";
import { HEAD_BYTES_MAX, REALTIME_TIMEOUT_SECONDS_MIN } from "../lint-policy.ts";
import type { OurUpstreams } from "../our-upstreams.ts";
import { describeStrangers } from "../trusted-range.ts";
import { reportAt } from "./finding.ts";
import { readPeerLists } from "./lists.ts";
import { findLast, type HaproxyRoute } from "./routes.ts";
import type { HaproxyLine, HaproxySection } from "./sections.ts";

/** HAProxy keeps this much of a buffer free for the headers that it adds itself. */
const REWRITE_BYTES = 1_024;

/** Settings that are wrong wherever they stand. */
export function lintHaproxySettings(
  sections: readonly HaproxySection[],
  ours: OurUpstreams,
): Finding[] {
  const measuresHeads = sections.some(({ lines }) => {
    return lines.some(({ words }) => words.some((word) => word.startsWith("req.hdrs,length")));
  });
  const settings = sections.flatMap((section) => {
    const acls = refusingAcls(section);
    return section.lines.flatMap((line) => [
      ...lintLine(line, ours),
      ...(acls.has(line.words[1] ?? "") ? [] : lintSource(line)),
    ]);
  });
  // Where heads are measured, one that is too long is answered here, whatever the buffer holds.
  return settings.filter(({ rule }) => rule !== "header-limit-too-large" || !measuresHeads);
}

/** Conditions by which requests are refused and nothing else: who is in them is trusted with nothing. */
function refusingAcls(section: HaproxySection): ReadonlySet<string> {
  const lines = [...section.defaults, ...section.lines].filter(({ words }) => words[0] !== "acl");
  const refused = new Set(lines.flatMap(refusedNames));
  // Whoever is spared a refusal, or is chosen for anything else, is trusted.
  const trusted = new Set(
    lines.flatMap((line) => {
      const names = line.words.map((word) => word.replace(/^!/, ""));
      const own = refusedNames(line);
      return names.filter((name) => !own.includes(name));
    }),
  );
  return new Set([...refused].filter((name) => !trusted.has(name)));
}

/** The conditions of a refusal whose holding refuses. */
function refusedNames({ words }: HaproxyLine): readonly string[] {
  const isRefusal = words.some((word) => /^(deny|reject|tarpit|silent-drop)$/.test(word));
  const at = words.indexOf("if");
  return isRefusal && at > 0 ? words.slice(at + 1).filter((word) => !word.startsWith("!")) : [];
}

function lintLine(line: HaproxyLine, ours: OurUpstreams): Finding[] {
  const [first = "", second = "", ...rest] = line.words;
  if (first === "option" && second === "accept-invalid-http-request") {
    const message = "names and bytes that are no header reach the service";
    return [reportAt(line, "odd-headers-passed", message, "remove the option")];
  }
  if (
    first === "tune.bufsize" &&
    ours.isAnyKnown &&
    Number(second) > HEAD_BYTES_MAX + REWRITE_BYTES
  ) {
    const message = `the services accept ${HEAD_BYTES_MAX} bytes for a whole head, so a longer one fails behind this proxy`;
    return [reportAt(line, "header-limit-too-large", message, `tune.bufsize ${HEAD_BYTES_MAX}`)];
  }
  const passesNominations = /^set-header connection .*hdr\(connection\)/i.test(
    [second, ...rest].join(" "),
  );
  if (first === "http-request" && passesNominations) {
    const message =
      "this passes on what the client nominates, and the next hop may remove those headers, X-Forwarded-For among them";
    return [
      reportAt(
        line,
        "nominated-headers",
        message,
        "remove this line: HAProxy writes Connection itself",
      ),
    ];
  }
  return [];
}

/** A condition on the peer that strangers meet, or that nobody can read here. */
function lintSource(line: HaproxyLine): Finding[] {
  const isAcl = line.words[0] === "acl" && line.words[2] === "src";
  const isAnonymous = line.words.join(" ").includes("{ src ") && refusedNames(line).length === 0;
  if (!isAcl && !isAnonymous) return [];
  const lists = readPeerLists(line);
  const unread = lists.filter(({ ranges }) => ranges === undefined);
  const ranges = [...line.words, ...lists.flatMap((list) => list.ranges ?? [])];
  const [message] = ranges.flatMap((range) => describeStrangers(range) ?? []);
  const mend = "name the addresses that your CDN connects from";
  return [
    ...(message === undefined ? [] : [reportAt(line, "trusts-everyone", message, mend)]),
    ...unread.map(({ name }) => {
      const unreadMessage = `${name} could not be read, so nobody knows who is trusted here`;
      return reportAt(line, "include-not-read", unreadMessage, "lint where the list is");
    }),
  ];
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
    return reportAt(line, "realtime-timeout-short", message, "timeout tunnel 75s");
  });
}

/** Reads a time as HAProxy writes it: "75s", "2m", or milliseconds. */
function readSeconds(text: string): number {
  const match = /^(\d+)(us|ms|s|m|h|d)?$/.exec(text);
  const factors = { us: 0.000_001, ms: 0.001, s: 1, m: 60, h: 3_600, d: 86_400 } as const;
  const factor = Object.entries(factors).find(([unit]) => unit === match?.[2])?.[1] ?? 0.001;
  return Number(match?.[1] ?? Number.POSITIVE_INFINITY) * factor;
}
