import { expect, test } from "vitest";
import { findPreset, fittingPresets, hopsWithoutEdge, PRESETS } from "./presets.ts";

test("hopsWithoutEdge() is what a balancer writes into the one header that services read", () => {
  const hops = (name: string) => {
    const preset = findPreset(name);
    return preset && hopsWithoutEdge(preset);
  };
  expect(hops("direct")).toBe(0);
  expect(hops("aws-nlb")).toBe(0);
  expect(hops("aws-alb")).toBe(1);
  expect(hops("google")).toBe(2);
  for (const name of ["cloudflare", "fly", "railway", "digitalocean"]) {
    expect(hops(name), name).toBeUndefined();
  }
});

test("fittingPresets() names what writes as was measured, and nothing where nothing does", () => {
  const appended = (hops: number) => fittingPresets({ hops, habit: "appends" });
  expect(appended(1)).toEqual(expect.arrayContaining(["aws-alb", "azure-application-gateway"]));
  expect(appended(1)).not.toContain("google");
  expect(appended(2)).toEqual(["cdn-append", "google"]);
  expect(appended(5)).toEqual([]);
  expect(fittingPresets({ hops: 1, habit: "overwrites" })).toContain("direct");
  expect(fittingPresets({ hops: 2, habit: "overwrites" })).toEqual([]);
});

test("every preset that peers stand behind says where their ranges are to be found", () => {
  for (const { name, topology, peers } of PRESETS) {
    expect(peers === "", name).toBe(topology === "direct");
  }
});
