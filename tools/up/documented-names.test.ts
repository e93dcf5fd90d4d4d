import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { PRIVATE_PATHS } from "../edge/private-paths.ts";
import { PUBLIC_RPC_PATHS } from "../edge/public-rpcs.ts";
import { SERVICE_PORTS } from "./up-config.ts";

const ROOT = new URL("../../", import.meta.url);

/** What listens somewhere and is none of our services' own. */
const OTHER_PORTS: Readonly<Record<number, string>> = {
  80: "an edge",
  443: "an edge",
  4000: "the console",
  4003: "Envoy's rate limit service",
  4318: "an OpenTelemetry collector",
  5432: "Postgres",
  6432: "a pooler",
  8080: "an edge on this machine",
  9090: "Prometheus",
  13133: "the health of an OpenTelemetry collector",
};

/** Read by tests, the operator's shell or somebody else's program, or a value of an answer. */
const OTHER_VARIABLES =
  /^(?:SMOKE_\w+|CANARY_PASSWORD|SOURCE_\w+|OVERWRITE_\w+|NO_COLOR|EDGE_PORT|DURABILITY_\w+|PG[A-Z]+)$/;

const PAGES = ["README.md", "RUNBOOK.md", "ARCHITECTURE.md", "SECURITY.md", "deploy/README.md"];

const CONFIGURATIONS = readdirSync(new URL("deploy/", ROOT), { recursive: true, encoding: "utf8" })
  .filter((name) => /\.(?:conf|cfg|Caddyfile|ya?ml)$/.test(name))
  .map((name) => `deploy/${name}`);

describe.each([...PAGES, ...CONFIGURATIONS, ".env.example", "tools/edge/defaults.yaml"])(
  "%s",
  (file) => {
    const text = readFileSync(new URL(file, ROOT), "utf8");

    test("names no port on which nothing listens", () => {
      const known = [...Object.values(SERVICE_PORTS), ...Object.keys(OTHER_PORTS).map(Number)];
      expect(portsOf(text).filter((port) => !known.includes(port))).toEqual([]);
    });

    test("names no RPC that there is not", () => {
      const paths = [...text.matchAll(/\/portcullis\.\w+\.v1\.\w+\/[A-Z]\w+/g)].map(
        ([path]) => path,
      );
      const known = [...PRIVATE_PATHS, ...PUBLIC_RPC_PATHS];
      expect(paths.filter((path) => !known.includes(path))).toEqual([]);
    });
  },
);

test.each(PAGES)("%s names no variable that nothing reads", (file) => {
  const text = readFileSync(new URL(file, ROOT), "utf8");
  const example = readFileSync(new URL(".env.example", ROOT), "utf8");
  const names = [...text.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=[^`]*)?`/g)].map(
    ([, name = ""]) => name,
  );
  const unknown = names.filter((name) => {
    return !example.includes(`#${name}=`) && !OTHER_VARIABLES.test(name);
  });
  expect(unknown).toEqual([]);
});

test("the doors are documented: a page names every port of every service", () => {
  const pages = PAGES.map((file) => readFileSync(new URL(file, ROOT), "utf8")).join("\n");
  const missing = Object.values(SERVICE_PORTS).filter((port) => !pages.includes(String(port)));
  expect(missing).toEqual([]);
});

/** Behind a colon, or a word that says that it is one. */
function portsOf(text: string): number[] {
  const behindHost = text.matchAll(/[A-Za-z\d\]]:(\d{4,5})(?![\d.:-])/g);
  const behindWord = text.matchAll(/\b(?:port|port_value:|listen|bind)\s+:?(\d{2,5})\b/gi);
  const ofVariable = text.matchAll(/_PORT=(\d+)/g);
  return [...behindHost, ...behindWord, ...ofVariable]
    .map(([, port]) => Number(port))
    .filter(Boolean);
}
