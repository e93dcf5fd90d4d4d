import type { Topology } from "../edge-config.ts";
import type { Finding, Rule } from "./finding.ts";
import { CLAIMS_CLEARED } from "./lint-policy.ts";

/** A directive of a Caddyfile; a block has the directives inside it. */
type CaddyDirective = { words: readonly string[]; line: number; block: readonly CaddyDirective[] };

/** Finds the traps of a Caddyfile that concern identity and what is forwarded. */
export function lintCaddy(file: string, text: string, topology: Topology | undefined): Finding[] {
  const { directives, problems } = readCaddyfile(text);
  const report: Report = (line, rule, message, mend) => ({ file, line, rule, message, mend });
  return [
    ...problems.map(({ line, problem }) => report(line, "syntax", problem, "close every block")),
    ...visit(directives, []).flatMap(({ directive, around }) => {
      return lintDirective(directive, around, report, topology ?? "direct");
    }),
  ];
}

type Report = (line: number, rule: Rule, message: string, mend: string) => Finding;
type Visited = { directive: CaddyDirective; around: readonly CaddyDirective[] };

function visit(
  directives: readonly CaddyDirective[],
  around: readonly CaddyDirective[],
): Visited[] {
  return directives.flatMap((directive) => [
    { directive, around },
    ...visit(directive.block, [directive, ...around]),
  ]);
}

function readCaddyfile(text: string) {
  const problems: { line: number; problem: string }[] = [];
  const root: CaddyDirective[] = [];
  const open: { block: CaddyDirective[]; line: number }[] = [{ block: root, line: 0 }];
  for (const [index, raw] of text.split("\n").entries()) {
    const words = splitWords(raw);
    const line = index + 1;
    const opens = words.at(-1) === "{";
    if (words.length === 0) continue;
    if (words[0] === "}") {
      if (open.length > 1) open.pop();
      else problems.push({ line, problem: 'this "}" closes nothing' });
      continue;
    }
    const block: CaddyDirective[] = [];
    open.at(-1)?.block.push({ words: opens ? words.slice(0, -1) : words, line, block });
    if (opens) open.push({ block, line });
  }
  const unclosed = open
    .slice(1)
    .map(({ line }) => ({ line, problem: "this block is never closed" }));
  return { directives: root, problems: [...problems, ...unclosed] };
}

/** Words at blanks; double quotes and backquotes keep theirs together; "#" begins a comment. */
function splitWords(raw: string): string[] {
  const words: string[] = [];
  for (const match of raw.matchAll(/"((?:\\.|[^"\\])*)"|`([^`]*)`|(\S+)/g)) {
    const [whole, double, raw_, bare] = match;
    if (bare?.startsWith("#") === true) break;
    words.push(double ?? raw_ ?? bare ?? whole);
  }
  return words;
}

function lintDirective(
  directive: CaddyDirective,
  around: readonly CaddyDirective[],
  report: Report,
  topology: Topology,
): Finding[] {
  const { words, line } = directive;
  if (words[0] === "trusted_proxies") return lintTrusted(directive, report, topology);
  if (
    words[0] === "proxy_protocol" ||
    (words[0] === "listener_wrappers" && hasProxyProtocol(directive))
  ) {
    const message =
      "with the PROXY protocol an address is whatever the first bytes of a connection say";
    return [report(line, "proxy-protocol", message, "take the address from the connection")];
  }
  if (words[0] !== "reverse_proxy") return [];
  return [
    ...lintForwardedFor(directive, report),
    ...lintOtherHeaders(directive, report, topology),
    ...lintExposure(directive, around, report),
  ];
}

function hasProxyProtocol({ block }: CaddyDirective): boolean {
  return block.some(({ words }) => words[0] === "proxy_protocol");
}

function lintTrusted(
  { words, line }: CaddyDirective,
  report: Report,
  topology: Topology,
): Finding[] {
  if (words.some((word) => /^(0\.0\.0\.0|::)\/0$/.test(word))) {
    const message = "every client is trusted to name its own address";
    return [
      report(line, "trusts-everyone", message, "name the addresses that your CDN connects from"),
    ];
  }
  if (topology !== "direct") return [];
  const message =
    "in topology direct no proxy stands before this one, so nobody's X-Forwarded-For is to be believed";
  return [
    report(
      line,
      "topology-mismatch",
      message,
      "remove trusted_proxies, or choose the topology it is for",
    ),
  ];
}

function headerLines(directive: CaddyDirective, name: string): readonly CaddyDirective[] {
  return directive.block.filter(({ words }) => {
    const [verb, header = ""] = words;
    return (
      verb === "header_up" && header.replace(/^[+\-?]/, "").toLowerCase() === name.toLowerCase()
    );
  });
}

function lintForwardedFor(directive: CaddyDirective, report: Report): Finding[] {
  const overwrite = "header_up X-Forwarded-For {remote_host}";
  return headerLines(directive, "X-Forwarded-For").flatMap(({ words, line }) => {
    const [, header = "", value = ""] = words;
    if (header.startsWith("-")) {
      const message = "without X-Forwarded-For the services see this proxy as their client";
      return [report(line, "missing-forwarded-for", message, overwrite)];
    }
    const isClients = /\{(http\.request\.)?header\./i.test(value);
    if (header.startsWith("+") || (isClients && /remote/.test(value))) {
      const message = "the client's own list stays in front of the address";
      return [report(line, "appended-forwarded-for", message, overwrite)];
    }
    if (!isClients) return [];
    const message = "this is what the client sent, so every client chooses its own address";
    return [report(line, "passed-through-forwarded-for", message, overwrite)];
  });
}

function lintOtherHeaders(
  directive: CaddyDirective,
  report: Report,
  topology: Topology,
): Finding[] {
  const kept = CLAIMS_CLEARED.filter((name) => headerLines(directive, name).length === 0);
  const hasRealIp = headerLines(directive, "X-Real-IP").length > 0;
  const realIp =
    topology === "cdn-append" ? "header_up -X-Real-IP" : "header_up X-Real-IP {remote_host}";
  return [
    ...(hasRealIp
      ? []
      : [
          report(
            directive.line,
            "identity-header-missing",
            "X-Real-IP would be the client's own here",
            realIp,
          ),
        ]),
    ...(kept.length === 0
      ? []
      : [
          report(
            directive.line,
            "claim-header-kept",
            `${kept.join(", ")} would reach the service as the client sent it`,
            kept.map((name) => `header_up -${name}`).join("; "),
          ),
        ]),
  ];
}

/** A reverse_proxy that no matcher stands before forwards every path. */
function lintExposure(
  { words, line }: CaddyDirective,
  around: readonly CaddyDirective[],
  report: Report,
): Finding[] {
  const isMatcher = (word: string | undefined) =>
    word !== undefined && /^[@/]/.test(word) && word !== "/*";
  const blocks = around.filter(({ words: [name = ""] }) =>
    /^(handle|handle_path|route)$/.test(name),
  );
  if (isMatcher(words[1]) || blocks.some((block) => isMatcher(block.words[1]))) return [];
  const message = "every path is forwarded, internal ones included";
  return [
    report(
      line,
      "internal-route-exposed",
      message,
      "handle the public routes, and respond 404 to the rest",
    ),
  ];
}
