import { expect, onTestFinished, test } from "vitest";
import { LeaseKeeper } from "./lease-keeper.ts";
import type { Verdict } from "./verdict.ts";

const TTL_MS = 60_000;
const rejected: Verdict = { kind: "rejected", policy: "p", retryAfterMs: 1, isFailOpen: false };

test("renew() renews what is kept, and nothing that was given back", async () => {
  const { keeper, calls, keep } = setup();
  keep("a");
  keep("b");
  keeper.giveBack("b");
  await keeper.renew();
  expect(calls.renewed).toEqual([["a"]]);
  expect(calls.released).toEqual([["b"]]);
});

test("renew() takes a lost lease anew, and tells its holder when the place is taken", async () => {
  const { calls, limiter, keeper, keep, taken } = setup();
  keep("a");
  limiter.lost = ["a"];
  limiter.verdict = { kind: "no-decision", retryAfterMs: 1 };
  await keeper.renew();
  expect([calls.consumed, taken]).toEqual([["a"], []]);
  limiter.verdict = rejected;
  await keeper.renew();
  expect([calls.consumed, taken]).toEqual([["a", "a"], ["a"]]);
});

test("renew() gives back what was lost and let go in the same moment", async () => {
  const { calls, limiter, keeper, keep } = setup();
  keep("a");
  limiter.lost = ["a"];
  limiter.onConsume = () => keeper.giveBack("a");
  await keeper.renew();
  await keeper.stop();
  expect(calls.released.flat()).toContain("a");
  expect(calls.released.flat().at(-1)).toBe("a");
});

test("renew() asks for a thousand leases a call", async () => {
  const { keeper, calls, keep } = setup();
  for (let lease = 0; lease < 2_500; lease++) keep(`lease-${lease}`);
  await keeper.renew();
  expect(calls.renewed.map((ids) => ids.length)).toEqual([1_000, 1_000, 500]);
});

test("stop() gives everything back before it resolves", async () => {
  const { keeper, calls, keep } = setup();
  keep("a");
  keep("b");
  await keeper.stop();
  expect(calls.released.flat().sort()).toEqual(["a", "b"]);
});

test("stop() gives back what was being taken anew, after it was taken", async () => {
  const { keeper, calls, limiter, keep } = setup();
  keep("a");
  limiter.lost = ["a"];
  let taken = () => {};
  limiter.onConsume = () =>
    new Promise<void>((resolve) => {
      taken = resolve;
    });
  void keeper.renew();
  await expect.poll(() => calls.consumed).toEqual(["a"]);
  const stopped = keeper.stop();
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(calls.released).toEqual([]);
  taken();
  await stopped;
  expect(calls.released).toEqual([["a"]]);
});

test("stop() gives back tens of thousands, and gives up on a limiter that is gone", async () => {
  const { keeper, calls, keep } = setup();
  for (let lease = 0; lease < 30_000; lease++) keep(`lease-${lease}`);
  await keeper.stop();
  expect(new Set(calls.released.flat()).size).toBe(30_000);
  const gone = setup();
  gone.limiter.isUp = false;
  for (let lease = 0; lease < 30_000; lease++) gone.keep(`lease-${lease}`);
  await gone.keeper.stop();
  expect(gone.calls.released.length).toBeLessThanOrEqual(4);
});

function setup() {
  const taken: string[] = [];
  const calls: { renewed: string[][]; released: string[][]; consumed: string[] } = {
    renewed: [],
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
      async renew(ids) {
        calls.renewed.push([...ids]);
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
  const keep = (id: string) =>
    keeper.keep({ policy: "p", key: "k", lease: { id, ttlMs: TTL_MS } }, () => taken.push(id));
  return { keeper, calls, limiter, keep, taken };
}
