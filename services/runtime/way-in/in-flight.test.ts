import { expect, test } from "vitest";
import { InFlight } from "./in-flight.ts";

const BOUNDS = { max: 10, strangersMax: 6, perAddressMax: 3, perCallerMax: 5 };

test("an address takes no more than its share, and others still find room", () => {
  const inFlight = new InFlight(BOUNDS);
  const address = (name: string) => inFlight.take("address", name).kind;
  expect([address("a"), address("a"), address("a"), address("a")]).toEqual([
    ...["taken", "taken", "taken", "share-full"],
  ]);
  expect(address("b")).toBe("taken");
});

test("strangers together leave room for known callers, and those for each other", () => {
  const inFlight = new InFlight(BOUNDS);
  for (const name of ["a", "a", "b", "b", "c", "c"]) inFlight.take("address", name);
  expect(inFlight.take("address", "d").kind).toBe("door-full");
  for (let count = 0; count < 4; count++) {
    expect(inFlight.take("caller", "gateway").kind).toBe("taken");
  }
  expect(inFlight.take("caller", "auth").kind).toBe("door-full");
});

test("a share comes back once, however often it is released", () => {
  const inFlight = new InFlight(BOUNDS);
  const taken = Array.from({ length: 3 }, () => inFlight.take("address", "a"));
  const [first] = taken;
  if (first?.kind === "taken") {
    first.release();
    first.release();
  }
  expect(inFlight.size).toBe(2);
  expect(inFlight.take("address", "a").kind).toBe("taken");
  expect(inFlight.take("address", "a").kind).toBe("share-full");
});
