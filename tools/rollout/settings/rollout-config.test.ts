import { expect, test } from "vitest";
import { ConfigError } from "../../../services/runtime/env.ts";
import { PRESET_NAMES } from "../../edge/presets.ts";
import { parseRolloutConfig } from "./rollout-config.ts";

const COMPLETE = `
edge: { url: "https://edge.example/", config: [nginx.conf], topology: direct }
services:
  auth: { url: "http://10.0.0.1:4001", envFile: auth.env }
  limiter: { url: "http://10.0.0.2:4002" }
  gateway: { url: "http://10.0.0.3:8001" }
prometheus: { url: "http://10.0.0.4:9090" }
canary: { account: { email: canary@example.test, passwordEnv: CANARY_PASSWORD } }
stages:
  proxy: { apply: a, rollback: b }
  api: { limiter: { apply: c, rollback: d }, auth: { apply: e, rollback: f } }
  gateway: { apply: g, rollback: h, judges: [], verify: ./look }
`;

test("parseRolloutConfig() fills in what is not said, and makes paths absolute", () => {
  const config = parseRolloutConfig(COMPLETE, "/srv/rollout");
  expect(config).toMatchObject({
    edge: { url: "https://edge.example", config: ["/srv/rollout/nginx.conf"] },
    services: { auth: { envFile: "/srv/rollout/auth.env" }, limiter: { envFile: undefined } },
    operatorTokenEnv: "OPERATOR_SERVICE_TOKEN",
    canary: { datasources: { public: "demo", private: "demo-private" }, durationSeconds: 600 },
    deadManSeconds: 300,
    stateDir: "/srv/rollout/.portcullis/rollout",
  });
  expect(config.stages.gateway).toMatchObject({ judges: [], verify: "./look" });
  expect(config.stages.canary).toEqual({ judges: ["identity", "canary"], verify: undefined });
});

test("parseRolloutConfig() names every problem at once, each with its field", () => {
  const broken = COMPLETE.replace("apply: e, ", "")
    .replace("topology: direct", "topology: sideways")
    .replace("10.0.0.1:4001", "")
    .replace("verify: ./look", "verfy: ./look")
    .replace("judges: []", "judges: [gut-feeling]");
  expect(problemsOf(`${broken}\ndeadManSeconds: soon\n`)).toEqual([
    `line 2: edge.topology must be one of ${PRESET_NAMES.join(", ")}`,
    "line 4: services.auth.url must be an http or https URL",
    "line 11: stages.api.auth.apply is required",
    "line 12: stages.gateway.judges may hold identity, preflight, probe, align, canary, each once",
    "line 12: stages.gateway.verfy is not known here",
    "line 14: deadManSeconds must be a number from 1 to 86400",
  ]);
});

test("parseRolloutConfig() reads what a rollout is for, how degraded modes end, and who is told", () => {
  const purpose = `
failOpen: [gateway]
release: { version: 1.2.0 }
endDegraded: { gateway: ./close gateway }
notify: ./page
`;
  expect(parseRolloutConfig(`${COMPLETE}${purpose}`, "/")).toMatchObject({
    failOpen: ["gateway"],
    release: { version: "1.2.0" },
    endDegraded: { gateway: "./close gateway" },
    notify: "./page",
  });
  const { failOpen, notify } = parseRolloutConfig(COMPLETE, "/");
  expect([failOpen, notify]).toEqual([[], undefined]);
  expect(problemsOf(`${COMPLETE}failOpen: [limiter]\nendDegraded: { limiter: x }\n`)).toEqual([
    "line 13: failOpen may hold auth, gateway",
    "line 14: endDegraded.limiter is not known here",
  ]);
});

test("parseRolloutConfig() knows what a balancer writes, before an edge and without one", () => {
  const edge = (topology: string, files: string) => {
    const text = COMPLETE.replace("topology: direct", `topology: ${topology}`);
    return parseRolloutConfig(text.replace("[nginx.conf]", files), "/").edge;
  };
  expect(edge("google", "[nginx.conf]")).toMatchObject({ topology: "cdn", hops: 1 });
  expect(edge("google", "[]")).toMatchObject({
    ...{ front: "google", topology: "cdn-append", hops: 2, standsAlone: true },
  });
  expect(edge("aws-alb", "[]")).toMatchObject({ hops: 1, standsAlone: true });
  // Services do not read its header, so an edge has to be in between.
  expect(edge("cloudflare", "[]")).toMatchObject({ topology: "cdn", hops: 1, standsAlone: false });
  expect(edge("direct", "[]")).toMatchObject({ topology: "direct", hops: 1, standsAlone: false });
});

test("parseRolloutConfig() of something that is no map names what is missing", () => {
  expect(problemsOf("- a list")).toContain("the file must be a map");
  expect(problemsOf("a: [")).not.toEqual([]);
});

function problemsOf(text: string): readonly string[] {
  try {
    parseRolloutConfig(text, "/");
    return [];
  } catch (error) {
    return error instanceof ConfigError ? error.problems : [String(error)];
  }
}
