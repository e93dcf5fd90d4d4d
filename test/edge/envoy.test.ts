import type { JsonValue } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { type EdgeConfig, TOPOLOGIES } from "../../tools/edge/edge-config.ts";
import { PRESET_NAMES } from "../../tools/edge/presets.ts";
import { readEdgeConfig } from "../../tools/edge/read-edge-config.ts";
import { renderEnvoy } from "../../tools/edge/render-envoy.ts";
import { findSchemaFaults } from "./envoy-schema.ts";

const BOOTSTRAP = "envoy.config.bootstrap.v3.Bootstrap";

const DEPLOYMENTS = [
  'cdn: { cidrs: [198.51.100.0/24, "2001:db8::/32"] }',
  "cdn: { cidrs: [198.51.100.0/24] }\ntls: { certificate: /etc/tls/chain.pem, key: /etc/tls/key.pem }",
  'cdn: { cidrs: [198.51.100.7] }\ndomains: [a.example]\nupstreams: { auth: ["auth:4001", "b:4001"], console: "[::1]:80" }',
];

test("a rendered Envoy file is a bootstrap that Envoy's own API describes, field by field", () => {
  for (const deployment of DEPLOYMENTS) {
    for (const topology of TOPOLOGIES) {
      const config = { ...readConfig(deployment), topology };
      const value: JsonValue = parse(renderEnvoy(config));
      expect(findSchemaFaults(BOOTSTRAP, value), `${topology} of ${deployment}`).toEqual([]);
    }
  }
  for (const preset of PRESET_NAMES) {
    const config = readConfig(`topology: ${preset}\npeers: [10.0.0.0/8]`);
    expect(findSchemaFaults(BOOTSTRAP, parse(renderEnvoy(config))), preset).toEqual([]);
  }
});

test("findSchemaFaults() finds what Envoy would refuse", () => {
  const text = renderEnvoy(readConfig(""));
  const faults = (from: string, to: string) => {
    expect(text).toContain(from);
    return findSchemaFaults(BOOTSTRAP, parse(text.replace(from, to))).join("; ");
  };
  expect(faults("skip_xff_append: true", "skip_xff_apend: true")).toContain("skip_xff_apend");
  expect(faults("use_remote_address: true", "use_remote_address: 7")).toContain("expected boolean");
  expect(faults("REJECT_REQUEST", "REJECT_ALL")).toContain("REJECT_ALL");
  expect(faults("stat_prefix: portcullis_from_anybody", 'stat_prefix: ""')).toContain(
    "is too short",
  );
  expect(
    faults(
      '"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
      '"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Ruter',
    ),
  ).toContain("Ruter");
  expect(faults("max_request_headers_kb: 18", "max_request_headers_kb: 0")).not.toBe("");
});

function readConfig(text: string): EdgeConfig {
  const reading = readEdgeConfig(text);
  if (reading.kind === "invalid") throw new Error(JSON.stringify(reading.problems));
  return reading.config;
}
