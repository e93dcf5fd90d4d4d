import { isScalar, type YAMLMap } from "yaml";
import type { Finding } from "../finding.ts";
import { type Report, readText } from "./yaml.ts";

/** The limiter decides within 300 ms and callers wait 500 ms; Envoy's own default is 20 ms. */
const RATE_LIMIT_TIMEOUT_MS = { min: 300, max: 500 };

/** What Envoy does when the limiter does not answer. */
export function lintRateLimit(filter: YAMLMap, report: Report): Finding[] {
  const findings: Finding[] = [];
  const denies = filter.get("failure_mode_deny", true);
  if (!isScalar(denies) || denies.value !== true) {
    const message = "when the limiter does not answer, Envoy lets the request pass";
    const node = denies ?? filter;
    findings.push(report(node, "rate-limit-fails-open", message, "failure_mode_deny: true"));
  }
  const timeoutMs = readDurationMs(readText(filter, "timeout"));
  const isTooShort = timeoutMs === undefined || timeoutMs < RATE_LIMIT_TIMEOUT_MS.min;
  if (isTooShort || timeoutMs > RATE_LIMIT_TIMEOUT_MS.max) {
    const node = filter.get("timeout", true) ?? filter;
    const message =
      timeoutMs === undefined
        ? "without a timeout Envoy waits 20 ms, which a decision that is written down takes longer than"
        : `the limiter answers within ${RATE_LIMIT_TIMEOUT_MS.min} ms, be it that it cannot decide; ${timeoutMs} ms does not fit`;
    findings.push(report(node, "rate-limit-timeout", message, "timeout: 0.5s"));
  }
  return findings;
}

function readDurationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)s$/.exec(text);
  return match === null ? undefined : Number(match[1]) * 1_000;
}
