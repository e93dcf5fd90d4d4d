import { expect, test } from "vitest";
import { judgeClocks } from "./check-clocks.ts";

test("judgeClocks() compares the services with each other, not with whoever looks", () => {
  const cases: [(number | undefined)[], string][] = [
    [[0, 0, 0], "pass"],
    [[-600_000, -600_500, -599_500], "pass"],
    [[0, 900, -900], "pass"],
    [[0, 0, 4_000], "fail"],
    [[-2_000, 0, 2_000], "fail"],
    [[0, 0, undefined], "inconclusive"],
    [[0, 5_000, undefined], "fail"],
    [[undefined, undefined, undefined], "inconclusive"],
  ];
  for (const [skews, verdict] of cases) {
    const readings = skews.map((skewMs, index) => ({ name: `service ${index}`, skewMs }));
    expect(judgeClocks(readings).verdict, skews.join()).toBe(verdict);
  }
});
