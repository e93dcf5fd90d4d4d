import { expect, onTestFinished, test } from "vitest";
import { LeaseKeeper } from "./lease-keeper.ts";
import type { Place } from "./place.ts";
import type { Verdict } from "./verdict.ts";

const TTL_MS = 60_000;
const REQUEST = { policy: "p", key: "k" };
const rejected: Verdict = { kind: "rejected", policy: "p", retryAfterMs: 1, isFailOpen: false };

test("extend() extends the places that are held, and none that was released", async () => {
  const { keeper, calls, hold } = setup();
  hold("a");
  hold("b").release();
  keeper.createPlace("not held yet");
  await keeper.extend();
  expect(calls.extended).toEqual([["a"]]);
});

test("extend() acquires a lost place again, and tells its holder when others have it", async () => {
  const { calls, limiter, keeper, acquire, taken } = setup();
  await acquire("a");
  limiter.lost = ["a"];
  limiter.verdict = { kind: "no-decision", retryAfterMs: 1 };
  await keeper.extend();
  expect([calls.consumed, taken]).toEqual([["a", "a"], []]);
  limiter.verdict = rejected;
  await keeper.extend();
  expect([calls.consumed, taken]).toEqual([["a", "a", "a"], ["a"]]);
});

test("extend() releases what was lost and released in the same moment", async () => {
  const { calls, limiter, keeper, acquire } = setup();
  const place = await acquire("a");
  limiter.lost = ["a"];
  limiter.onConsume = () => place.release();
  await keeper.extend();
  await keeper.stop();
  expect(calls.released.flat()).toContain("a");
  expect(calls.released.flat().at(-1)).toBe("a");
});

test("extend() asks for a thousand leases a call", async () => {
  const { keeper, calls, hold } = setup();
  for (let lease = 0; lease < 2_500; lease++) hold(`lease-${lease}`);
  await keeper.extend();
  expect(calls.extended.map((ids) => ids.length)).toEqual([1_000, 1_000, 500]);
});

test("stop() releases every place before it resolves, held or not", async () => {
  const { keeper, calls, acquire } = setup();
  await acquire("a");
  await keeper.createPlace("b").acquire(REQUEST, []);
  await keeper.stop();
  expect(calls.released.flat().sort()).toEqual(["a", "b"]);
});

test("stop() releases what was being acquired again, after it was acquired", async () => {
  const { keeper, calls, limiter, acquire } = setup();
  await acquire("a");
  limiter.lost = ["a"];
  let give = () => {};
  limiter.onConsume = () =>
    new Promise<void>((resolve) => {
      give = resolve;
    });
  void keeper.extend();
  await expect.poll(() => calls.consumed).toEqual(["a", "a"]);
  const stopped = keeper.stop();
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(calls.released).toEqual([]);
  give();
  await stopped;
  expect(calls.released).toEqual([["a"]]);
});

test("stop() releases tens of thousands, and gives up on a limiter that is gone", async () => {
  const { keeper, calls, acquire } = setup();
  const acquireMany = async (many: typeof acquire) =>
    await Promise.all(Array.from({ length: 30_000 }, (_, lease) => many(`lease-${lease}`)));
  await acquireMany(acquire);
  await keeper.stop();
  expect(new Set(calls.released.flat()).size).toBe(30_000);
  const gone = setup();
  gone.limiter.isUp = false;
  await acquireMany(gone.acquire);
  await gone.keeper.stop();
  expect(gone.calls.released.length).toBeLessThanOrEqual(4);
});

function setup() {
  const taken: string[] = [];
  const calls: { extended: string[][]; released: string[][]; consumed: string[] } = {
    extended: [],
    released: [],
    consumed: [],
  };
  const limiter: {
    isUp: boolean;
    lost: string[];
    verdict: Verdict;
    onConsume: () => void | Promise<void>;
  } = {
    isUp: true,
    lost: [],
    verdict: { kind: "allowed", receipt: "", remaining: 1, isFailOpen: false },
    onConsume() {},
  };
  const keeper = new LeaseKeeper(
    {
      async extend(ids) {
        calls.extended.push([...ids]);
        return limiter.lost;
      },
      async release(ids) {
        calls.released.push([...ids]);
        return limiter.isUp;
      },
      async consume([bucket]) {
        calls.consumed.push(bucket?.lease?.id ?? "");
        await limiter.onConsume();
        return limiter.verdict;
      },
    },
    TTL_MS,
  );
  onTestFinished(async () => await keeper.stop());
  const hold = (id: string): Place => {
    const place = keeper.createPlace(id);
    place.hold(() => taken.push(id));
    return place;
  };
  const acquire = async (id: string): Promise<Place> => {
    const place = hold(id);
    await place.acquire(REQUEST, []);
    return place;
  };
  return { keeper, calls, limiter, hold, acquire, taken };
}
