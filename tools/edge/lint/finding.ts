/** Every trap the linter knows, by the name under which it reports it. */
export const RULES = {
  syntax: "the file cannot be read as its proxy would read it",
  "include-not-read": "an included file could not be read, so nothing is known of it",
  "not-followed": "a part whose effect cannot be told from the file, so any trap may hide in it",
  "inherited-headers-lost": "a location's own proxy_set_header discards every inherited one",
  "missing-forwarded-for": "X-Forwarded-For is not set, so the client's own gets through",
  "appended-forwarded-for": "the address is added behind what the client claims",
  "passed-through-forwarded-for": "X-Forwarded-For is set from what the client sent",
  "quoted-list": "a quote among the client's words hides the list's last entry",
  "repeated-forwarded-for": "X-Forwarded-For is sent twice",
  "ambiguous-port": "a port behind the address, which cannot be told from an IPv6 address",
  "conditional-forwarded-for": "X-Forwarded-For is replaced for some requests only",
  "skipped-by-allow": "a rule ends the processing before X-Forwarded-For is replaced",
  "forwardfor-adds-line": "option forwardfor adds a line behind the client's own",
  "forwardfor-if-none": "option forwardfor if-none lets the client's own line stand",
  "identity-header-missing": "X-Real-IP or X-Forwarded-Proto is the client's own",
  "claim-header-kept": "Forwarded or a CDN's address header is the client's own",
  "upgrade-missing": "a websocket cannot be opened at /gateway/realtime",
  "upgrade-everywhere": "an upgrade is forwarded on a route that has no websocket",
  "nominated-headers": "the client's Connection header reaches the next hop",
  "internal-route-exposed": "a route that is not for browsers is forwarded",
  "private-port": "a port on which services and operators alone are answered is forwarded to",
  "trusts-everyone": "every address is trusted to speak for clients",
  "real-ip-header-default": "set_real_ip_from without real_ip_header reads X-Real-IP",
  "topology-mismatch": "what the file does with addresses is another topology's",
  "hops-mismatch": "the services' trusted hops do not fit the topology",
  "proxy-protocol": "an address is taken from, or sent in, the PROXY protocol",
  "odd-headers-passed": "header names that can pass for others are let through",
  "header-limit-too-large": "requests are accepted that are too long for the services",
  "realtime-timeout-short": "silent websockets are cut before the gateway's next ping",
  "decoded-uri": "the decoded path is forwarded, with any line break in it",
  "tcp-mode": "connections are passed on without HTTP, so the client's address is lost",
  "rate-limit-fails-open": "Envoy lets requests pass when the limiter does not answer",
  "rate-limit-timeout": "Envoy gives the limiter no time, or too much",
} as const;

export type Rule = keyof typeof RULES;

/** One trap: where it is, why it is one, and what to write instead. */
export type Finding = {
  file: string;
  line: number;
  rule: Rule;
  message: string;
  mend: string;
  /** Which of the places that the line reaches this is about; findings that differ in it alone are one. */
  place?: string;
  /** Where it is worse than the rule usually is. */
  severity?: Severity;
};

/**
 * An error lets a client choose its address, makes many clients one, opens what is not for browsers,
 * or breaks what browsers use. A warning is about headers that no service of ours reads, about
 * what another setting must make up for, or about what could not be judged.
 */
export type Severity = "error" | "warning";

const WARNINGS: ReadonlySet<string> = new Set<Rule>([
  "include-not-read",
  "not-followed",
  "ambiguous-port",
  "identity-header-missing",
  "claim-header-kept",
  "upgrade-everywhere",
  "nominated-headers",
  "proxy-protocol",
  "odd-headers-passed",
  "header-limit-too-large",
  "realtime-timeout-short",
]);

/** The severity of a rule, by its name. */
export function severityOf(rule: string): Severity {
  return WARNINGS.has(rule) ? "warning" : "error";
}

/** Whether a finding says that something could not be judged, rather than that it is wrong. */
export function isDoubt({ rule }: { rule: Rule }): boolean {
  return rule === "not-followed" || rule === "include-not-read";
}

/** One cause: a line and what is wrong with it, however many places it reaches. */
export type GroupedFinding = Omit<Finding, "place" | "severity"> & {
  severity: Severity;
  places: number;
};

/** Makes one finding of all that a line is blamed for by one rule, in the order of the file. */
export function groupFindings(findings: readonly Finding[]): GroupedFinding[] {
  const causes = new Map<string, Finding[]>();
  for (const finding of findings) {
    const key = `${finding.file}:${finding.line}:${finding.rule}`;
    causes.set(key, [...(causes.get(key) ?? []), finding]);
  }
  const grouped = [...causes.values()].flatMap((all) => {
    const [first] = all;
    if (first === undefined) return [];
    const { place: _, ...finding } = first;
    const places = new Set(all.map(({ place }) => place)).size;
    const severity = all.some((one) => one.severity === "error") ? "error" : severityOf(first.rule);
    return [{ ...finding, severity, places }];
  });
  return grouped.toSorted((one, other) => one.line - other.line);
}
