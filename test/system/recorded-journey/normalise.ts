/** A rule for values that differ between runs. */
type Rule = readonly [pattern: RegExp, replacement: string];

/**
 * All other bytes must stay the same. The order matters: a token may contain text that matches a
 * later rule.
 */
const RULES: readonly Rule[] = [
  // Signed tokens (JWT): access, device and datasource tokens.
  [/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, "<jwt>"],
  [/("refreshToken":")[^"]+/g, "$1<refresh token>"],
  [/("receipt":")[^"]+/g, "$1<receipt>"],
  [/("(?:next|since)Cursor":")[^"]+/g, "$1<cursor>"],
  [/("eventId":")[^"]+/g, "$1<event>"],
  [/("epoch":")[0-9a-f]+/g, "$1<epoch>"],
  [/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g, "<uuid>"],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, "<instant>"],
  // A wait depends on the time of the answer; "0s" (no wait) stays.
  [/("(?:retryAfter|resetAfter|latency)":")(?!0s)[\d.]+s/g, "$1<duration>"],
  [/("retryAfterMs":)[1-9]\d*/g, "$1<ms>"],
  [/(\bretry-after: )\d+/g, "$1<seconds>"],
  // Keys and secrets of the run, and values that depend on its ports and revision.
  [/("configHash":")[^"]+/g, "$1<hash>"],
  [/("policiesHash":")[^"]+/g, "$1<hash>"],
  [/("saltFingerprint":")[^"]+/g, "$1<fingerprint>"],
  [/("revision":")[^"]+/g, "$1<revision>"],
  [/("(?:kid|x)":")[\w-]+/g, "$1<key>"],
  [/127\.0\.0\.1:\d+/g, "<address>"],
  // Newer versions of Node say of broken JSON also in which line it breaks.
  [/(in JSON at position \d+) \(line \d+ column \d+\)/g, "$1"],
];

/** Returns a text without the values that differ between runs. */
export function normalise(text: string): string {
  return RULES.reduce((kept, [pattern, replacement]) => kept.replace(pattern, replacement), text);
}
