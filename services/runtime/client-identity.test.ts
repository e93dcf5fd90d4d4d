import { pino } from "pino";
import { expect, test } from "vitest";
import { createClientIdentity, type ProxyTrust } from "./client-identity.ts";
import { createManualClock } from "./clock.ts";
import { parseCidr } from "./ip-address.ts";

const EDGE = "10.0.0.5";
const HOUR_MS = 3_600_000;

test("a derived address that is private or a CDN's is warned of once a minute, while hops > 0", () => {
  const { from, warnings } = setup({ hops: 1, trustedProxies: named() });
  for (let time = 0; time < 3; time++) from(EDGE, "192.168.3.4");
  from(EDGE, "104.16.1.1");
  from(EDGE, "203.0.113.9");
  expect(warnings()).toEqual([
    expect.stringContaining("the derived client address is private"),
    expect.stringContaining("the derived client address is a CDN's"),
  ]);
});

test("without hops a private peer is nothing to warn of", () => {
  const { from, warnings } = setup({ hops: 0 });
  from("192.168.3.4", "10.1.1.1");
  expect(warnings()).toEqual([]);
});

test("a peer that is believed for the first time is warned of once the process knows its proxies", () => {
  const { from, warnings, clock } = setup({ hops: 1 });
  from(EDGE, "203.0.113.9");
  clock.advance(HOUR_MS);
  from(EDGE, "203.0.113.10");
  expect(warnings()).toEqual([]);
  from("198.51.100.66", "203.0.113.11");
  expect(warnings()).toEqual([expect.stringContaining("TRUSTED_PROXY_CIDRS")]);
});

test("named proxies are no new peers, and others are not believed", () => {
  const { from, warnings, clock } = setup({ hops: 1, trustedProxies: named() });
  clock.advance(HOUR_MS);
  from("10.0.0.77", "203.0.113.9");
  expect(warnings()).toEqual([]);
});

test("no warning holds an address", () => {
  const { from, lines, clock } = setup({ hops: 1 });
  clock.advance(HOUR_MS);
  from("198.51.100.66", "192.168.3.4");
  expect(lines()).toHaveLength(2);
  expect(lines().join()).not.toMatch(/198\.51|192\.168/);
});

function named() {
  return [parseCidr("10.0.0.0/8")].flatMap((cidr) => cidr ?? []);
}

function setup(trust: ProxyTrust) {
  const written: string[] = [];
  const clock = createManualClock(1_000_000_000);
  const log = pino({}, { write: (line: string) => written.push(line) });
  const identify = createClientIdentity({ service: "auth", trust, log, clock });
  return {
    clock,
    from: (remote: string, ...forwardedLines: string[]) => identify({ remote, forwardedLines }),
    lines: () => written,
    warnings: () => written.map((line): string => JSON.parse(line).msg),
  };
}
