import { expect, test } from "vitest";
import type { Identity } from "../../edge/probe/ask-identity.ts";
import { judgeEdgeHeader } from "./check-edge-header.ts";

const SUBJECT = { id: "edge.header.auth", title: "the header", why: "because" };
const EDGE = "10.0.0.1";
const CLIENT = "198.18.0.9";
const LIE = "203.0.113.77";

test("judgeEdgeHeader() demands of the edge what the hops will count on", () => {
  const cases: { hops: number; honest: string[]; lying: string[]; verdict: string }[] = [
    { hops: 1, honest: [CLIENT], lying: [CLIENT], verdict: "pass" },
    { hops: 1, honest: [CLIENT], lying: [CLIENT, LIE], verdict: "pass" },
    { hops: 0, honest: [], lying: [LIE], verdict: "pass" },
    { hops: 0, honest: [CLIENT], lying: [CLIENT], verdict: "pass" },
    // Hops raised before the edge writes the header.
    { hops: 1, honest: [], lying: [], verdict: "fail" },
    { hops: 1, honest: [], lying: [LIE], verdict: "fail" },
    // One hop too many: the client's own entry would count.
    { hops: 2, honest: [CLIENT], lying: [CLIENT, LIE], verdict: "fail" },
    { hops: 2, honest: [CLIENT, EDGE], lying: [CLIENT, LIE], verdict: "fail" },
    { hops: 1, honest: [""], lying: [""], verdict: "fail" },
  ];
  for (const { hops, honest, lying, verdict } of cases) {
    const measured = { hops, honest: seen(honest), lying: seen(lying) };
    const check = judgeEdgeHeader(SUBJECT, measured);
    expect(check.verdict, JSON.stringify(measured)).toBe(verdict);
  }
});

test("judgeEdgeHeader() is in doubt without both answers and the hops", () => {
  const lost = { kind: "unknown", problem: "timeout" } as const;
  const one = seen([CLIENT]);
  for (const measured of [
    { hops: 1, honest: lost, lying: one },
    { hops: 1, honest: one, lying: lost },
    { hops: undefined, honest: one, lying: one },
  ]) {
    expect(judgeEdgeHeader(SUBJECT, measured).verdict).toBe("inconclusive");
  }
});

/** What a service with 0 hops reports; `fromRight` holds entries from right to left. */
function seen(fromRight: readonly string[]): Identity {
  return {
    kind: "identity",
    address: EDGE,
    isForwarded: false,
    warning: "",
    hops: 0,
    entries: fromRight.length,
    failureMode: "fail-closed",
    configHash: "0000000000000000",
    byHops: [EDGE, ...fromRight],
  };
}
