import { expect, test } from "vitest";
import { Place } from "./place.ts";
import type { Verdict } from "./verdict.ts";

const REQUEST = { policy: "connections", key: "192.0.2.1" };
const OTHER = { policy: "connects", key: "192.0.2.1" };
const allowed: Verdict = { kind: "allowed", receipt: "", remaining: 1, isFailOpen: false };
const rejected: Verdict = { kind: "rejected", policy: "p", retryAfterMs: 1, isFailOpen: false };
const undecided: Verdict = { kind: "no-decision", retryAfterMs: 1 };

test("acquire() asks for the place after the other buckets, in one request", async () => {
  const { place, asked } = setup();
  expect(await place.acquire(REQUEST, [OTHER])).toEqual(allowed);
  expect(asked).toEqual([[OTHER, { ...REQUEST, lease: place.lease }]]);
});

test("release() releases the lease once, however often it is called", async () => {
  const { place, released, forgotten } = setup();
  await place.acquire(REQUEST, []);
  place.hold(() => {});
  expect(place.isHeld).toBe(true);
  place.release();
  place.release();
  expect([released, forgotten, place.isHeld]).toEqual([["lease"], [place], false]);
});

for (const { what, verdict, releases } of [
  { what: "that was allowed", verdict: allowed, releases: ["lease"] },
  { what: "without a decision, which may be given", verdict: undecided, releases: ["lease"] },
  {
    what: "that this process rejected, and the limiter may have given",
    verdict: { ...rejected, isFailOpen: true },
    releases: ["lease"],
  },
  { what: "that the limiter rejected: there is none", verdict: rejected, releases: [] },
]) {
  test(`release() of a place ${what}`, async () => {
    const { place, released, forgotten } = setup(async () => verdict);
    await place.acquire(REQUEST, []);
    place.release();
    expect([released, forgotten]).toEqual([releases, [place]]);
  });
}

test("release() of a place that nothing was asked for calls nobody", () => {
  const { place, released, forgotten } = setup();
  place.release();
  expect([released, forgotten]).toEqual([[], [place]]);
});

test("release() while the limiter decides releases again what it gives after that", async () => {
  let answer = (_verdict: Verdict) => {};
  const { place, released } = setup(
    () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
  );
  const acquired = place.acquire(REQUEST, []);
  place.release();
  expect(released).toEqual(["lease"]);
  answer(allowed);
  await acquired;
  expect(released).toEqual(["lease", "lease"]);
});

test("release() while the limiter decides ends there when it rejects", async () => {
  let answer = (_verdict: Verdict) => {};
  const { place, released } = setup(
    () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
  );
  const acquired = place.acquire(REQUEST, []);
  place.release();
  answer(rejected);
  await acquired;
  expect(released).toEqual(["lease"]);
});

function setup(consume: () => Promise<Verdict> = async () => allowed) {
  const asked: unknown[] = [];
  const released: string[] = [];
  const forgotten: Place[] = [];
  const place = new Place(
    { id: "lease", ttlMs: 1_000 },
    {
      limiter: {
        async consume(buckets) {
          asked.push(buckets);
          return await consume();
        },
      },
      releaseLease: (leaseId) => void released.push(leaseId),
      forget: (place) => void forgotten.push(place),
    },
  );
  return { place, asked, released, forgotten };
}
