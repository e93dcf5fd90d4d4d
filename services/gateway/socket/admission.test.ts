import { afterEach, expect, test, vi } from "vitest";
import type { Bucket, LimiterClient, Verdict } from "../../../clients/limiter/verdict.ts";
import { RecentRefusals } from "../access/recent-refusals.ts";
import { divideConnections } from "../session/connection-bounds.ts";
import { Sessions } from "../session/sessions.ts";
import { createAdmission } from "./admission.ts";

const ALLOWED: Verdict = { kind: "allowed", receipt: "r", remaining: 1, isFailOpen: false };
const HANDSHAKE = new Map([
  ["connection", ["Upgrade"]],
  ["upgrade", ["websocket"]],
  ["sec-websocket-version", ["13"]],
  ["sec-websocket-key", ["dGhlIHNhbXBsZSBub25jZQ=="]],
  ["sec-websocket-protocol", ["portcullis.realtime.v1.json"]],
]);

afterEach(() => {
  vi.useRealTimers();
});

test("an admitted upgrade holds its place", async () => {
  const { admit, givenBack } = setup(async () => ALLOWED);
  const admission = await admit({ headers: HANDSHAKE, remote: "203.0.113.9" }, "session");
  expect(admission).toMatchObject({ kind: "admitted", place: { lease: { id: "session" } } });
  expect(givenBack).toEqual([]);
});

test("a place that is given after the deadline is given back once more", async () => {
  vi.useFakeTimers();
  let decide = (_verdict: Verdict) => {};
  const { admit, givenBack, sessions } = setup(
    () =>
      new Promise((resolve) => {
        decide = resolve;
      }),
  );
  const admission = admit({ headers: HANDSHAKE, remote: "203.0.113.9" }, "session");
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await admission).toMatchObject({ kind: "refused", status: 503 });
  expect(givenBack).toEqual(["session"]);
  decide(ALLOWED);
  await vi.advanceTimersByTimeAsync(0);
  expect(givenBack).toEqual(["session", "session"]);
  expect(sessions.reserve("203.0.113.9")).toBe("reserved");
});

function setup(consume: (buckets: readonly Bucket[]) => Promise<Verdict>) {
  const givenBack: string[] = [];
  const sessions = new Sessions(divideConnections(10_000), { shed: () => {} });
  const refusals = new RecentRefusals({ nowMs: () => 0 });
  const limiter: Pick<LimiterClient, "consume"> = { consume };
  const admit = createAdmission({
    allowedOrigins: new Set(),
    identity: ({ remote }) => ({ ip: remote, class: "socket", entries: 0 }),
    limiter,
    leases: { giveBack: (leaseId) => void givenBack.push(leaseId) },
    sessions,
    refusals,
  });
  return { admit, givenBack, sessions };
}
