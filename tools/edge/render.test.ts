import { readdirSync, readFileSync, statSync } from "node:fs";
import { expect, test } from "vitest";
import { type EdgeConfig, TOPOLOGIES } from "./edge-config.ts";
import { HOPS } from "./edge-policy.ts";
import { readEdgeConfig } from "./read-edge-config.ts";
import { PROXIES, renderAll, renderProxy } from "./render.ts";

const DEPLOY = new URL("../../deploy/", import.meta.url);

test("renderAll() of the defaults is what deploy/ holds, and deploy/ holds nothing else", () => {
  const files = renderAll(
    readConfig(readFileSync(new URL("defaults.yaml", import.meta.url), "utf8")),
  );
  for (const { path, text } of files) {
    const held = readFileSync(new URL(path, DEPLOY), "utf8");
    expect(held, `${path} has drifted: npm run -s edge -- render --out deploy`).toBe(text);
  }
  const held = PROXIES.flatMap((proxy) => {
    return readdirSync(new URL(`${proxy}/`, DEPLOY)).map((name) => `${proxy}/${name}`);
  });
  expect(held.filter((path) => statSync(new URL(path, DEPLOY)).isFile()).toSorted()).toEqual(
    files.map(({ path }) => path).toSorted(),
  );
});

test("renderProxy() names the hops of its topology in every file", () => {
  for (const proxy of PROXIES) {
    for (const topology of TOPOLOGIES) {
      const { text } = renderProxy(proxy, { ...readConfig(""), topology });
      const hops = HOPS[topology];
      expect(text).toContain(`API_TRUST_PROXY_HOPS=${hops} and REALTIME_TRUST_PROXY_HOPS=${hops}`);
    }
  }
});

test("renderProxy() names the console's route only where the deployment has one", () => {
  for (const proxy of PROXIES) {
    const without = renderProxy(proxy, readConfig("")).text;
    const withConsole = renderProxy(proxy, readConfig("upstreams: { console: '127.0.0.1:8002' }"));
    expect(without).not.toContain("console");
    expect(withConsole.text).toContain("/console/");
    expect(withConsole.text).toContain("8002");
  }
});

test("renderProxy() lists every replica of an upstream, IPv6 ones included", () => {
  const config = readConfig('upstreams: { auth: ["10.0.0.1:4001", "[2001:db8::1]:4001"] }');
  for (const proxy of PROXIES) {
    const { text } = renderProxy(proxy, config);
    expect(text).toContain("10.0.0.1");
    expect(text).toMatch(/\[2001:db8::1\]:4001|"2001:db8::1", port_value: 4001/);
  }
});

function readConfig(text: string): EdgeConfig {
  const reading = readEdgeConfig(text);
  if (reading.kind === "invalid") throw new Error(JSON.stringify(reading.problems));
  return reading.config;
}
