import { expect, test } from "vitest";
import { createManualClock } from "../../runtime/clock.ts";
import {
  REFUSALS_REMEMBERED_MS,
  RecentRefusals,
  type UpgradeRefusal,
} from "../access/recent-refusals.ts";
import { createWhyRoute } from "./why-route.ts";

const ORIGIN = "https://app.example";
const LIMITED: UpgradeRefusal = { status: 429, code: "rate_limited", retryAfterMs: 1_500 };

test("why tells an address of its own refusal alone, with what is left of the wait", () => {
  const { ask, clock, refusals } = setup();
  refusals.remember(client("192.0.2.1"), LIMITED);
  expect(ask("192.0.2.1").body).toBe('{"status":429,"code":"rate_limited","retryAfterMs":1500}');
  expect(ask("192.0.2.2").body).toBe('{"code":"unknown"}');
  clock.advance(400);
  expect(ask("192.0.2.1").body).toContain('"retryAfterMs":1100');
  clock.advance(10_000);
  expect(ask("192.0.2.1").body).toContain('"retryAfterMs":0');
  clock.advance(REFUSALS_REMEMBERED_MS);
  expect(ask("192.0.2.1").body).toBe('{"code":"unknown"}');
  expect(refusals.size).toBe(0);
});

test("why does not tell an honest address of a doubtful one's refusal", () => {
  const { ask, refusals } = setup();
  refusals.remember({ ...client("192.0.2.1"), warning: "missing_or_invalid" }, LIMITED);
  expect(ask("192.0.2.1").body).toBe('{"code":"unknown"}');
});

test("pages of allowed origins alone can read why, and no cache keeps it", () => {
  const { ask } = setup();
  const allowed = ask("192.0.2.1", { origin: [ORIGIN] });
  expect(Object.fromEntries(allowed.headers)).toMatchObject({
    "access-control-allow-origin": ORIGIN,
    "cache-control": "no-store",
    vary: "origin",
  });
  for (const origin of [["https://evil.example"], ["null"], [ORIGIN, ORIGIN]]) {
    const refused = ask("192.0.2.1", { origin });
    expect(refused.status, origin.join()).toBe(403);
    expect(refused.headers.has("access-control-allow-origin")).toBe(false);
  }
  const plain = ask("192.0.2.1");
  expect([plain.status, plain.headers.has("access-control-allow-origin")]).toEqual([200, false]);
  const preflight = ask("192.0.2.1", { origin: [ORIGIN] }, "OPTIONS");
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get("access-control-allow-headers")).toContain("traceparent");
  expect(ask("192.0.2.1", {}, "POST").status).toBe(405);
});

test("why is shed when strangers ask too much, before the address is derived", () => {
  const { ask, clock, derived } = setup();
  for (let count = 0; count < 3_000; count++) ask("192.0.2.1");
  const shed = ask("192.0.2.1");
  expect([shed.status, shed.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(derived()).toBe(2_000);
  clock.advance(1_000);
  expect(ask("192.0.2.1").status).toBe(200);
});

test("RecentRefusals forgets the oldest address when there are too many", () => {
  const refusals = new RecentRefusals(createManualClock(0), 2);
  for (const ip of ["192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"]) {
    refusals.remember(client(ip), LIMITED);
  }
  expect(refusals.size).toBe(2);
  expect(refusals.recall(client("192.0.2.2"))).toBeUndefined();
  expect(refusals.recall(client("192.0.2.1"))).toEqual(LIMITED);
});

function client(ip: string) {
  return { ip, class: "socket", entries: 0 } as const;
}

function setup() {
  const clock = createManualClock(0);
  const refusals = new RecentRefusals(clock);
  let derived = 0;
  const why = createWhyRoute({
    allowedOrigins: new Set([ORIGIN]),
    identity({ remote }) {
      derived += 1;
      return client(remote);
    },
    refusals,
    clock,
  });
  const ask = (remote: string, headers: Record<string, string[]> = {}, method = "GET") =>
    why({ method, path: "/why", headers: new Map(Object.entries(headers)), remote });
  return { ask, clock, refusals, derived: () => derived };
}
