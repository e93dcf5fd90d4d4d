import { expect, test } from "vitest";
import { type Batch, FairQueue } from "./fair-queue.ts";

const weights: Readonly<Record<string, number>> = { polls: 4 };

test("take() gives each key its turn, one request a turn", () => {
  const { queue, push } = setup();
  for (const name of ["a1", "a2", "a3", "b1", "c1", "c2"]) push("logins", name);
  expect(take(queue).items).toEqual(["a1", "b1", "c1", "a2", "c2", "a3"]);
});

test("take() opens four calls for a class, whatever waits, and goes on when one ends", () => {
  const { queue, push } = setup();
  const calls = ["a1", "a2", "a3", "a4"].map((name) => {
    push("logins", name);
    return take(queue);
  });
  for (const name of ["a5", "a6", "b1"]) push("logins", name);
  expect(queue.take()).toBeUndefined();
  for (const call of calls.slice(0, 1)) queue.done(call, 1);
  expect(take(queue).items).toEqual(["a5", "b1", "a6"]);
});

test("takeNewcomers() sends keys with nothing in flight beside four slow calls", () => {
  const { queue, push } = setup();
  for (const name of ["a1", "a2", "a3", "a4"]) {
    push("logins", name);
    take(queue);
  }
  push("logins", "a5");
  expect(queue.takeNewcomers()).toBeUndefined();
  push("logins", "b1");
  expect(queue.takeNewcomers()?.items).toEqual(["b1"]);
});

test("take() gives a class its first call when others have all that there are", () => {
  const { queue, push } = setup();
  for (const className of ["logins", "mints"]) {
    for (const name of ["a1", "a2", "a3", "a4", "a5"]) {
      push(className, name);
      queue.take();
    }
  }
  push("polls", "gateway");
  expect(take(queue)).toMatchObject({ className: "polls", items: ["gateway"] });
  expect(queue.take()).toBeUndefined();
});

test("take() serves classes by their weight", () => {
  const { queue, push } = setup();
  const order: string[] = [];
  for (let round = 0; round < 10; round++) {
    push("logins", "a");
    push("polls", "b");
    const call = take(queue);
    order.push(call.className);
    queue.done(call, 1);
    // What is left waits for the next round, so that both classes always have something to send.
    queue.expire(0);
  }
  expect(order.filter((name) => name === "polls")).toHaveLength(8);
});

test("push() sheds a key's own request beyond its bound, and leaves a newcomer alone", () => {
  const { queue, push } = setup();
  const shed: string[] = [];
  for (let request = 0; request < 2_001; request++) {
    shed.push(...(push("logins", `a${request}`) ?? []));
  }
  expect(shed).toEqual(["a2000"]);
  expect(push("logins", "b1")).toBeUndefined();
  expect(queue.waiting).toBe(2_001);
});

test("push() sheds from the key that has most waiting when its class is full", () => {
  const { push } = setup();
  for (const key of ["a", "b"]) fill(push, "logins", key, 2_000);
  fill(push, "logins", "c", 999);
  expect(push("logins", "d1")).toBeUndefined();
  expect(push("logins", "e1")).toEqual(["a1999"]);
  expect(push("logins", "f1")).toEqual(["b1999"]);
});

test("push() sheds what was rejected a moment ago first, be it the newcomer", () => {
  const { push } = setup();
  for (const key of ["a", "b"]) fill(push, "logins", key, 2_000);
  fill(push, "logins", "c", 998);
  expect(push("logins", "d1", true)).toBeUndefined();
  expect(push("logins", "e1")).toBeUndefined();
  expect(push("logins", "f1")).toEqual(["d1"]);
  expect(push("logins", "g1", true)).toEqual(["g1"]);
});

test("push() sheds from the class that has most waiting for its weight when all are full", () => {
  const { push, queue } = setup();
  for (const className of ["logins", "polls"]) {
    for (const key of ["a", "b"]) fill(push, className, key, 2_000);
    fill(push, className, "c", 1_000);
  }
  expect(queue.waiting).toBe(10_000);
  expect(push("mints", "z1")).toEqual(["a1999"]);
  expect(queue.waiting).toBe(10_000);
});

test("push() of strangers one by one sheds the oldest of them, never the newcomer", () => {
  const { push } = setup();
  for (let stranger = 0; stranger < 5_000; stranger++)
    push("logins", `${stranger}`, false, stranger);
  expect(push("logins", "newcomer", false, 5_000)).toEqual(["0"]);
});

test("expire() removes what waits for too long, and nothing else", () => {
  const { queue, push } = setup();
  for (const [atMs, name] of ["a1", "b1", "a2", "b2"].entries()) push("logins", name, false, atMs);
  expect(queue.expire(2).sort()).toEqual(["a1", "b1"]);
  expect(take(queue).items).toEqual(["a2", "b2"]);
  expect(queue.waiting).toBe(0);
});

test("take() carries fewer requests after slow calls, and more again after fast ones", () => {
  const { queue, push } = setup();
  const sizes = [10, 200, 200, 10, 10].map((tookMs) => {
    fill(push, "logins", "a", 1_000);
    const call = take(queue);
    queue.done(call, tookMs);
    queue.expire(Number.POSITIVE_INFINITY);
    return call.items.length;
  });
  expect(sizes).toEqual([250, 313, 157, 100, 125]);
});

type Push = (
  className: string,
  name: string,
  isRejected?: boolean,
  sinceMs?: number,
) => string[] | undefined;

function fill(push: Push, className: string, key: string, requests: number): void {
  for (let request = 0; request < requests; request++) push(className, `${key}${request}`);
}

function take(queue: FairQueue<string>): Batch<string> {
  const batch = queue.take();
  if (batch === undefined) throw new Error("nothing may be sent");
  return batch;
}

/** The key of a request is the letters that its name begins with, or all of its name. */
function setup() {
  const queue = new FairQueue<string>((className) => weights[className] ?? 1);
  const push: Push = (className, name, isRejected = false, sinceMs = 1) => {
    const key = /^[a-z]+/.exec(name)?.[0] ?? name;
    const shed = queue.push(name, { className, key }, sinceMs, isRejected);
    return shed === undefined ? undefined : [shed];
  };
  return { queue, push };
}
