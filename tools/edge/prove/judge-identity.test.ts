import { describe, expect, test } from "vitest";
import { judgeIdentity } from "./judge-identity.ts";

const PEER = "127.8.0.1";

describe("judgeIdentity()", () => {
  const lists = [
    { forwarded: [PEER], rules: [] },
    { forwarded: [`${PEER}:4711`], rules: [] },
    { forwarded: [], rules: ["missing-forwarded-for"] },
    { forwarded: [PEER, PEER], rules: ["repeated-forwarded-for"] },
    { forwarded: [`203.0.113.77, ${PEER}`], rules: ["appended-forwarded-for"] },
    { forwarded: ["203.0.113.77", PEER], rules: ["forwardfor-adds-line"] },
    { forwarded: ["203.0.113.77"], rules: ["passed-through-forwarded-for"] },
    { forwarded: [`${PEER}, 203.0.113.77`], rules: ["passed-through-forwarded-for"] },
  ];
  for (const { forwarded, rules } of lists) {
    test(`of a lie, judges X-Forwarded-For: ${forwarded.join(" | ")}`, () => {
      const found = judgeIdentity(recordedWith("X-Forwarded-For", forwarded), PEER, false);
      expect(found.map(({ rule }) => rule)).toEqual(rules);
    });
  }

  test("of an honest request, blames a constant for naming somebody else", () => {
    const found = judgeIdentity(recordedWith("X-Forwarded-For", ["10.0.0.1"]), PEER, true);
    expect(found).toMatchObject([
      { rule: "missing-forwarded-for", saw: "X-Forwarded-For: 10.0.0.1" },
    ]);
  });

  test("judges nothing of a protocol without headers", () => {
    const recorded = { ...recordedWith("X-Real-IP", ["6.6.6.6"]), requestLine: "" };
    expect(judgeIdentity(recorded, PEER, true)).toEqual([]);
  });
});

function recordedWith(name: string, values: readonly string[]) {
  const lines = values.map((value) => ({ name, value }));
  return { requestLine: "GET / HTTP/1.1", lines, remote: "127.0.0.1" };
}
