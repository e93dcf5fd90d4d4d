import { expect, test } from "vitest";
import { adviseOnUws } from "./advice.ts";

test("adviseOnUws() names a way out that works on the platform", () => {
  const linux = { platform: "linux", arch: "x64" };
  const debian12 = { ...linux, glibc: "2.36" };
  const debian13 = { ...linux, glibc: "2.41" };
  const cases = [
    { at: { ...debian12, node: "24.21.0" }, says: /take Node 20 or 22, or a glibc of 2\.38/ },
    { at: { ...debian12, node: "26.1.0" }, says: /take Node 20 or 22, or a glibc of 2\.38/ },
    { at: { ...debian12, node: "22.1.0" }, says: /no --omit=optional/ },
    { at: { ...debian12, node: "20.19.0" }, says: /no --omit=optional/ },
    { at: { ...debian12, arch: "arm64", node: "24.0.0" }, says: /2\.38 .* and the official build/ },
    { at: { ...debian13, node: "24.21.0" }, says: /no --omit=optional/ },
    { at: { ...debian13, node: "25.0.0" }, says: /take Node 20, 22, 24 or 26/ },
    { at: { ...debian13, arch: "arm64", node: "24.0.0" }, says: /the official build/ },
    { at: { ...linux, node: "24.0.0" }, says: /musl \(Alpine\)/ },
    { at: { platform: "darwin", arch: "arm64", node: "24.0.0" }, says: /the official build/ },
  ];
  for (const { at, says } of cases) {
    const advice = adviseOnUws(at);
    expect(advice, JSON.stringify(at)).toMatch(says);
    expect(advice).toContain(`Node ${at.node}`);
    expect(advice).toContain("GATEWAY_ENGINE=auto");
  }
});
