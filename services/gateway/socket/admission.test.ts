import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { LeaseKeeper } from "../../../clients/limiter/lease-keeper.ts";
import type { Verdict } from "../../../clients/limiter/verdict.ts";
import { RecentRefusals } from "../access/recent-refusals.ts";
import { divideConnections } from "../session/connection-bounds.ts";
import { Sessions } from "../session/sessions.ts";
import { createAdmission } from "./admission.ts";

const TTL_MS = 30_000;
const ALLOWED: Verdict = { kind: "allowed", receipt: "r", remaining: 1, isFailOpen: false };
const HANDSHAKE = new Map([
  ["connection", ["Upgrade"]],
  ["upgrade", ["websocket"]],
  ["sec-websocket-version", ["13"]],
  ["sec-websocket-key", ["dGhlIHNhbXBsZSBub25jZQ=="]],
  ["sec-websocket-protocol", ["portcullis.realtime.v1.json"]],
]);

const REQUEST = { headers: HANDSHAKE, remote: "203.0.113.9" };

afterEach(() => {
  vi.useRealTimers();
});

test("an admitted upgrade has its place, charged after the connect", async () => {
  const { admit, place, asked, released } = setup(async () => ALLOWED);
  const admission = await admit(REQUEST, place);
  expect(admission).toMatchObject({ kind: "admitted", client: { ip: REQUEST.remote } });
  const bucket = { key: REQUEST.remote, doubtful: false };
  expect(asked).toEqual([
    { ...bucket, policy: "realtime.connect.ip" },
    { ...bucket, policy: "realtime.connections.ip", lease: place.lease },
  ]);
  expect(released).toEqual([]);
});

test("a place that the limiter gives after the deadline is released once more", async () => {
  vi.useFakeTimers();
  let decide = (_verdict: Verdict) => {};
  const { admit, place, released, sessions } = setup(
    () =>
      new Promise((resolve) => {
        decide = resolve;
      }),
  );
  const admission = admit(REQUEST, place);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await admission).toMatchObject({ kind: "refused", status: 503 });
  place.release();
  await vi.advanceTimersByTimeAsync(0);
  expect(released).toEqual(["session"]);
  decide(ALLOWED);
  await vi.advanceTimersByTimeAsync(0);
  expect(released).toEqual(["session", "session"]);
  expect(sessions.reserve("203.0.113.9")).toBe("reserved");
});

function setup(decide: () => Promise<Verdict>) {
  const asked: unknown[] = [];
  const released: string[] = [];
  const leases = new LeaseKeeper(
    {
      async consume(buckets) {
        asked.push(...buckets);
        return await decide();
      },
      extend: async () => [],
      async release(leaseIds) {
        released.push(...leaseIds);
        return true;
      },
    },
    TTL_MS,
  );
  onTestFinished(async () => await leases.stop());
  const sessions = new Sessions(divideConnections(10_000), { shed: () => {} });
  const admit = createAdmission({
    allowedOrigins: new Set(),
    identity: ({ remote }) => ({ ip: remote, class: "socket", entries: 0 }),
    sessions,
    refusals: new RecentRefusals({ nowMs: () => 0 }),
  });
  return { admit, place: leases.createPlace("session"), asked, released, sessions };
}
