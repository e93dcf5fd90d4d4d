import { expect, test } from "vitest";
import type { Identity } from "./ask-identity.ts";
import { judgeSpoofs } from "./judge-spoofs.ts";
import { PROBE_ROUTES } from "./public-route.ts";
import type { ProbeResult } from "./send-probe.ts";

const HONEST: Identity = {
  kind: "identity",
  address: "198.18.0.9",
  isForwarded: true,
  warning: "",
  hops: 1,
  entries: 1,
  failureMode: "fail-closed",
  configHash: "0000000000000000",
  byHops: ["10.0.0.1", "198.18.0.9"],
};

test("judgeSpoofs() fails for everything that a client's claim changes", () => {
  const cases: [string, ProbeResult, string][] = [
    ["nothing", HONEST, "pass"],
    ["refused by the edge", { kind: "refused", status: 400 }, "pass"],
    ["another address", { ...HONEST, address: "203.0.113.77" }, "fail"],
    ["a doubt", { ...HONEST, warning: "missing_or_invalid" }, "fail"],
    ["the socket", { ...HONEST, isForwarded: false }, "fail"],
    ["one entry more", { ...HONEST, entries: 2 }, "fail"],
    ["no answer", { kind: "unknown", problem: "timeout" }, "inconclusive"],
  ];
  for (const [what, result, verdict] of cases) {
    const spoofs = [{ id: "spelling", result }];
    const check = judgeSpoofs(PROBE_ROUTES.auth, "direct", HONEST, spoofs);
    expect(check.verdict, what).toBe(verdict);
  }
});

test("judgeSpoofs() lets entries grow only where the edge appends", () => {
  const spoofs = [{ id: "spelling", result: { ...HONEST, entries: 3 } }];
  expect(judgeSpoofs(PROBE_ROUTES.auth, "cdn-append", HONEST, spoofs).verdict).toBe("pass");
  expect(judgeSpoofs(PROBE_ROUTES.auth, "cdn", HONEST, spoofs).verdict).toBe("fail");
});

test("judgeSpoofs() passes nothing when the honest request is in doubt, lost or not spoofed", () => {
  const doubted = { ...HONEST, warning: "missing_or_invalid" };
  const spoofs = [{ id: "spelling", result: HONEST }];
  const judge = (honest: ProbeResult, results = spoofs) =>
    judgeSpoofs(PROBE_ROUTES.gateway, "direct", honest, results).verdict;
  expect(judge(doubted)).toBe("fail");
  expect(judge({ kind: "refused", status: 404 })).toBe("fail");
  expect(judge({ kind: "unknown", problem: "timeout" })).toBe("inconclusive");
  expect(judge(HONEST, [])).toBe("inconclusive");
});
