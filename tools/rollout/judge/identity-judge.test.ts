import { expect, test } from "vitest";
import type { Said, ServiceSnapshot } from "../state/identity-snapshot.ts";
import type { Check } from "../terms/verdict.ts";
import { judgeRestored, judgeStageIdentity } from "./identity-judge.ts";
import { judgeReleases, judgeRunning } from "./judge-running.ts";

const SAID: Said = {
  hops: 0,
  failureMode: "fail-closed",
  configHash: "a",
  version: "1.0.0",
  revision: "abc1234",
  backend: "postgres",
  policiesHash: "p",
};
const POSTGRES = { auth: "postgres", limiter: "postgres", gateway: "postgres" };
const CLOSED = { failOpen: [], backends: POSTGRES };

test("judgeStageIdentity() judges a service before its turn by what ran at the baseline", () => {
  const judge = (hops: number, baseline: readonly ServiceSnapshot[] | undefined) =>
    verdictsOf(
      judgeStageIdentity({
        ...{ stage: "proxy", reached: "proxy", changes: ["proxy"], topology: "direct" },
        baseline,
        before: [gateway({ hops })],
        after: [gateway({ hops })],
      }),
    );
  const untouched = { "identity.untouched.gateway": "pass" };
  expect(judge(0, [gateway({ hops: 0 })])).toEqual({
    "identity.hops.gateway": "pass",
    ...untouched,
  });
  // Restarted by hand between two stages, it is equal before and after this stage.
  expect(judge(1, [gateway({ hops: 0 })])).toMatchObject({ "identity.hops.gateway": "fail" });
  expect(judge(1, undefined)).toMatchObject({ "identity.hops.gateway": "pass" });
  expect(judge(2, undefined)).toMatchObject({ "identity.hops.gateway": "fail" });
});

test("judgeRunning() fails on what runs open, unless the plan names it, and on another backend", () => {
  const open = gateway({ failureMode: "fail-open" });
  const id = "identity.failure-mode.gateway";
  expect(verdictsOf(judgeRunning([open], CLOSED))).toMatchObject({ [id]: "fail" });
  const meant = { ...CLOSED, failOpen: ["gateway"] as const };
  expect(verdictsOf(judgeRunning([open], meant))).toMatchObject({ [id]: "pass" });
  expect(verdictsOf(judgeRunning([gateway({})], CLOSED))).toMatchObject({ [id]: "pass" });

  const backend = "identity.backend.gateway";
  const inMemory = gateway({ backend: "memory" });
  expect(verdictsOf(judgeRunning([inMemory], CLOSED))).toMatchObject({ [backend]: "fail" });
  const memory = { ...POSTGRES, gateway: "memory" };
  expect(verdictsOf(judgeRunning([inMemory], { failOpen: [], backends: memory }))).toMatchObject({
    [backend]: "pass",
  });
  const silent: ServiceSnapshot = { service: "gateway", said: undefined, problem: "gone" };
  expect(judgeRunning([silent], CLOSED)).toEqual([]);
});

test.each<[string, Partial<Said>, string]>([
  ["other settings", { configHash: "b" }, "hash b instead of a"],
  ["new code under old settings", { revision: "def5678" }, "release 1.0.0 (def5678) instead of"],
  ["another version", { version: "1.1.0" }, "release 1.1.0 (abc1234) instead of"],
  ["an opened surface", { failureMode: "fail-open" }, "failure mode fail-open instead of"],
  ["other limits", { policiesHash: "q" }, "policies q instead of p"],
])("judgeRestored() tells %s", (_title, now, observed) => {
  const [check] = judgeRestored("baseline", [gateway({})], [gateway(now)]);
  expect(check).toMatchObject({ verdict: "fail", observed: expect.stringContaining(observed) });
});

test("judgeRestored() takes what is as it was, and never wants a degraded mode back", () => {
  const [same] = judgeRestored("baseline", [gateway({})], [gateway({})]);
  expect(same).toMatchObject({
    verdict: "pass",
    observed: "unchanged, hash a, release 1.0.0 (abc1234)",
  });
  const open = gateway({ failureMode: "fail-open", configHash: "b" });
  expect(judgeRestored("baseline", [open], [gateway({})])).toMatchObject([{ verdict: "pass" }]);
  expect(judgeRestored("baseline", [open], [open])).toMatchObject([{ verdict: "fail" }]);
  const [old] = judgeRestored("baseline", [gateway({ version: undefined })], [gateway({})]);
  expect(old).toMatchObject({
    verdict: "fail",
    observed: expect.stringContaining("instead of unknown"),
  });
});

test("judgeReleases() says what came after what, and holds it against the plan", () => {
  const judge = (version: string | undefined, revision: string | undefined) =>
    judgeReleases({
      changes: ["gateway"],
      release: { version, revision },
      before: [gateway({ version: "0.9.0" })],
      after: [gateway({}), { service: "auth", said: SAID, problem: "" }],
    });
  expect(judge(undefined, undefined)).toMatchObject([
    {
      id: "identity.release.gateway",
      verdict: "pass",
      observed: "1.0.0 (abc1234), after 0.9.0 (abc1234)",
    },
  ]);
  expect(judge("1.0.0", "abc1234567")).toMatchObject([{ verdict: "pass" }]);
  expect(judge("1.0.1", undefined)).toMatchObject([{ verdict: "fail" }]);
  expect(judge(undefined, "fff")).toMatchObject([{ verdict: "fail" }]);
});

function gateway(changes: Partial<Said>): ServiceSnapshot {
  return { service: "gateway", said: { ...SAID, ...changes }, problem: "" };
}

function verdictsOf(checks: readonly Check[]) {
  return Object.fromEntries(checks.map(({ id, verdict }) => [id, verdict]));
}
