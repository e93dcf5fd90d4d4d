import { pino } from "pino";
import { expect, test } from "vitest";
import { createBoundedWarning } from "./bounded-warning.ts";
import { createManualClock } from "./clock.ts";

test("warn() speaks once per kind and interval, and says what it kept to itself", () => {
  const { warn, clock, lines } = setup();
  for (let time = 0; time < 5; time++) warn("a", "first kind");
  warn("b", "second kind");
  clock.advance(60_000);
  warn("a", "first kind", { hops: 1 });
  expect(lines()).toMatchObject([
    { msg: "first kind", suppressed: 0 },
    { msg: "second kind", suppressed: 0 },
    { msg: "first kind", suppressed: 4, hops: 1 },
  ]);
});

test("warn() is not silenced by a clock that steps back", () => {
  const { warn, clock, lines } = setup();
  warn("a", "text");
  clock.advance(-3_600_000);
  warn("a", "text");
  expect(lines()).toHaveLength(2);
});

function setup() {
  const written: string[] = [];
  const clock = createManualClock(1_000_000_000);
  const log = pino({}, { write: (line: string) => written.push(line) });
  return {
    clock,
    warn: createBoundedWarning(log, clock),
    lines: () => written.map((line) => JSON.parse(line) as object),
  };
}
