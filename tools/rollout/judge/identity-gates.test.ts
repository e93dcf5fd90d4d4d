import { expect, test } from "vitest";
import { type Gate, judgeGate, mergeFindings } from "./gate.ts";
import { type IdentityGatesOptions, identityGates } from "./identity-gates.ts";

const NOTHING = { value: undefined, baseline: undefined, samples: undefined };
const REQUESTS_MIN = 10;

test("distinct-keys knows that raised hops make many addresses of one, for each service", () => {
  const raised = partsOf("gate.client-ip.distinct-keys", {
    hops: 1,
    hopsBefore: { auth: 0, gateway: 0 },
  });
  for (const part of raised) expect(verdictOf(part, { value: 20, baseline: 1 })).toBe("pass");
  const half = partsOf("gate.client-ip.distinct-keys", {
    hops: 1,
    hopsNow: { auth: 1, gateway: 0 },
    hopsBefore: { auth: 0, gateway: 0 },
  });
  expect(half.map(({ part }) => part)).toEqual(["auth, hops 0 before and 1 now", "gateway"]);
});

test("distinct-keys fails when both the addresses and their share of the requests rise", () => {
  const [same] = partsOf("gate.client-ip.distinct-keys", { hops: 1 });
  const measured = { value: 0.9, baseline: 0.4 };
  expect(verdictOf(same, { ...measured, also: { value: 90, limit: 24 } })).toBe("fail");
  // A quiet hour: fewer requests of the same clients.
  expect(verdictOf(same, { ...measured, also: { value: 20, limit: 24 } })).toBe("pass");
  // Missing data excuses nothing.
  expect(verdictOf(same, measured)).toBe("fail");
});

test("top-key-share fails when clients collapse, not when hops are changed or two clients differ", () => {
  const [same] = partsOf("gate.client-ip.top-key-share", { hops: 1 });
  expect(verdictOf(same, { value: 1, baseline: 0.05 })).toBe("fail");
  expect(verdictOf(same, { value: 0.65, baseline: 0.5 })).toBe("pass");
  // Others have left; those who stay send as much as before.
  const left = { value: 0.5, baseline: 0.05, also: { value: 2, limit: 10 } };
  expect(verdictOf(same, left)).toBe("pass");
  const [lowered] = partsOf("gate.client-ip.top-key-share", { hops: 0, hopsBefore: { auth: 1 } });
  expect(verdictOf(lowered, { value: 1, baseline: 0.05 })).toBe("pass");
});

test("entries are counted where a service trusts proxies, and nowhere else", () => {
  const entries = (options: Omit<IdentityGatesOptions, "topology">) =>
    identityGates({ ...options, topology: "direct" }).find(({ id }) => id.endsWith(".entries"));
  expect(entries({ hops: 1, hopsNow: { auth: 0, gateway: 0 } })).toBeUndefined();
  const half = entries({ hops: 1, hopsNow: { auth: 1, gateway: 0 } });
  expect(half?.value("60s")).toContain('service="auth"');
  expect(half?.value("60s")).not.toContain('service="gateway"');
  expect(entries({ hops: 1 })?.value("60s")).not.toContain("service=");
});

test("mergeFindings() shows every part, with the verdict of the worst", () => {
  const parts = partsOf("gate.client-ip.top-key-share", { hops: 1 });
  const findings = parts.map((part, index) =>
    judgeGate(part, { ...NOTHING, samples: 100, value: index, baseline: 0.1 }, REQUESTS_MIN),
  );
  const merged = mergeFindings({ ...(parts[0] ?? fail()), parts }, findings);
  expect(merged?.check).toMatchObject({
    verdict: "fail",
    observed: "auth: 0 %, limit at most 17.5 %; gateway: 100 %, limit at most 17.5 %",
  });
});

function partsOf(id: string, options: Omit<IdentityGatesOptions, "topology">): readonly Gate[] {
  const gate = identityGates({ ...options, topology: "direct" }).find((other) => other.id === id);
  return gate?.parts ?? fail();
}

function verdictOf(gate: Gate | undefined, measured: Partial<Parameters<typeof judgeGate>[1]>) {
  const all = { ...NOTHING, samples: 100, ...measured };
  return judgeGate(gate ?? fail(), all, REQUESTS_MIN).check.verdict;
}

function fail(): never {
  throw new Error("there is no such gate");
}
