import { expect, test } from "vitest";
import { parseCidr } from "../../../services/runtime/ip-address.ts";
import { judgeNamedProxies, type SeenProxies } from "./check-named-proxies.ts";

const EDGE = "10.0.0.5";

test("judgeNamedProxies() warns of hops without named proxies, and measures the mend", () => {
  const check = judgeNamedProxies([at("auth"), at("gateway", { peers: [EDGE, "2001:db8::5"] })]);
  expect(check).toMatchObject({
    verdict: "pass",
    severity: "warning",
    mend: expect.stringContaining("TRUSTED_PROXY_CIDRS=10.0.0.5/32,2001:db8::5/128"),
  });
});

test("judgeNamedProxies() is content with named proxies, and without hops", () => {
  const named = { isNamed: true, cidrs: cidrs("10.0.0.0/8") };
  for (const seen of [
    [at("auth", named), at("gateway", { isNamed: true })],
    [at("auth", { hops: 0 }), at("gateway", { hops: 0, peers: [] })],
  ]) {
    const check = judgeNamedProxies(seen);
    expect(check).toMatchObject({ verdict: "pass", mend: "" });
    expect(check).not.toHaveProperty("severity");
  }
});

test("judgeNamedProxies() fails names that leave the edge out", () => {
  const check = judgeNamedProxies([
    at("auth", { isNamed: true, cidrs: cidrs("192.0.2.0/24") }),
    at("gateway", { isNamed: true, cidrs: cidrs("10.0.0.0/8") }),
  ]);
  expect(check).toMatchObject({
    verdict: "fail",
    observed: "auth would not believe the edge; it comes from 10.0.0.5",
    mend: "add to TRUSTED_PROXY_CIDRS: 10.0.0.5/32",
  });
});

test("judgeNamedProxies() is in doubt while hops or peers are unknown", () => {
  expect(judgeNamedProxies([at("auth", { hops: undefined })]).verdict).toBe("inconclusive");
  expect(judgeNamedProxies([at("auth", { peers: [] })]).verdict).toBe("inconclusive");
});

function at(name: SeenProxies["name"], change: Partial<SeenProxies> = {}): SeenProxies {
  return { name, hops: 1, isNamed: false, cidrs: [], peers: [EDGE], ...change };
}

function cidrs(...texts: string[]) {
  return texts.flatMap((text) => parseCidr(text) ?? []);
}
