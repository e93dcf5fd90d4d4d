import { expect, test } from "vitest";
import type { Environment } from "../../../services/runtime/env.ts";
import type { Identity } from "../../edge/probe/ask-identity.ts";
import type { ServiceName } from "../../edge/probe/deployment.ts";
import type { Change } from "../state/rollout-state.ts";
import { checkFailureModes, checkHops } from "./check-configuration.ts";
import { checkRunning } from "./check-running.ts";
import { plannedMode, type ServiceFacts } from "./gather-facts.ts";

test.each<[string, ServiceFacts[], string]>([
  ["files for later, nothing raised yet", [of("auth", 0, 1), of("gateway", 0, 1)], "pass"],
  ["files that run", [of("auth", 1, 1), of("gateway", 1, 1)], "pass"],
  [
    "one more than there are proxies, whatever its file says",
    [of("auth", 1, 1), of("gateway", 2, 1)],
    "fail",
  ],
  ["one that was restarted with another number", [of("auth", 1, 1), of("gateway", 0, 1)], "fail"],
  [
    "the middle of a rollout",
    [of("auth", 1, 1, { expectedHops: 1 }), of("gateway", 0, 1, { expectedHops: 0 })],
    "pass",
  ],
  ["one that should have been raised", [of("auth", 0, 1, { expectedHops: 1 })], "fail"],
  ["a file with too many", [of("auth", 0, 2), of("gateway", 0, 2)], "fail"],
])("checkHops() judges %s", (_title, facts, verdict) => {
  expect(checkHops(facts, "direct").verdict).toBe(verdict);
});

test("checkFailureModes() judges what runs first, then what is planned, and knows the plan", () => {
  const opened = of("gateway", 1, 1, { failureMode: "fail-open" });
  expect(checkFailureModes([opened])).toMatchObject({
    verdict: "fail",
    observed: "gateway fail-open (its file says fail-closed)",
  });
  expect(checkFailureModes([opened], ["gateway"]).verdict).toBe("pass");
  const planned = of("gateway", 1, 1, { file: { REALTIME_LIMITER_FAILURE_MODE: "fail-open" } });
  expect(checkFailureModes([planned]).verdict).toBe("fail");
  expect(checkFailureModes([of("gateway", 1, 1)]).verdict).toBe("pass");
});

test("checkRunning() finds what was changed by hand, and waits for what has its stage to come", async () => {
  const check = async (facts: ServiceFacts, applied: readonly Change[] = []) => {
    const [found] = await checkRunning([facts], { directory: ".", applied });
    return found;
  };
  expect(await check(of("gateway", 1, 1))).toMatchObject({ verdict: "pass" });
  expect(await check(of("gateway", 0, 1))).toMatchObject({
    verdict: "pass",
    observed: "to be changed by its stage: hops 0 instead of 1",
  });
  expect(await check(of("gateway", 0, 1), ["gateway"])).toMatchObject({ verdict: "fail" });
  const opened = of("gateway", 1, 1, { failureMode: "fail-open" });
  expect(await check(opened)).toMatchObject({ verdict: "fail" });
  const settings = { backend: "postgres", policiesHash: "of other limits" };
  expect(await check(of("gateway", 1, 1, { settings }), ["gateway"])).toMatchObject({
    verdict: "fail",
    observed: expect.stringContaining("policies of other limits instead of"),
  });
});

function of(
  name: ServiceName,
  runningHops: number,
  fileHops: number,
  changes: Partial<Identity> & { expectedHops?: number; file?: Environment } = {},
): ServiceFacts {
  const { expectedHops, file = {}, ...identityChanges } = changes;
  const identity: Identity = {
    kind: "identity",
    ...{ address: "192.0.2.1", isForwarded: true, warning: "", entries: 1, byHops: [] },
    ...{ hops: runningHops, failureMode: "fail-closed", configHash: "a" },
    ...identityChanges,
  };
  return {
    ...{ name, identity, running: identity, file, hops: fileHops },
    ...{ expectedHops, topologyHops: 1, plannedMode: plannedMode(name, file) },
  };
}
