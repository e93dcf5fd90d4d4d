import { expect, test } from "vitest";
import { WaitingConnections } from "./waiting-connections.ts";

type Named = { name: string; shareKey: string | undefined };

test("the oldest of an address goes when the address has too many, and nobody else's", () => {
  const { add, waiting } = setup({ waiting: 100, waitingPerAddress: 2 });
  add("other", "192.0.2.9");
  expect([add("a"), add("b"), add("c"), add("d")]).toEqual([
    undefined,
    undefined,
    "a by address",
    "b by address",
  ]);
  expect(waiting.size).toBe(3);
});

test("the oldest of all goes when there are too many, and proxies count towards that alone", () => {
  const { add, waiting } = setup({ waiting: 3, waitingPerAddress: 1 });
  expect([add("a", null), add("b", null), add("c", null)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect(add("d", "192.0.2.1")).toBe("a by total");
  expect(waiting.all().map(({ name }) => name)).toEqual(["b", "c", "d"]);
});

function setup(bounds: { waiting: number; waitingPerAddress: number }) {
  const waiting = new WaitingConnections<Named>(bounds);
  return {
    waiting,
    add(name: string, shareKey: string | null = "192.0.2.1") {
      const surplus = waiting.add({ name, shareKey: shareKey ?? undefined });
      if (surplus === undefined) return undefined;
      waiting.delete(surplus.connection);
      return `${surplus.connection.name} by ${surplus.bound}`;
    },
  };
}
