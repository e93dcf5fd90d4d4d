import { expect, test } from "vitest";
import { parse } from "yaml";
import { ADMIN_DOOR, PUBLIC_DOOR } from "../../services/auth/doors.ts";
import * as gateway from "../../services/gateway/doors.ts";
import { DOOR } from "../../services/limiter/doors.ts";
import { PRIVATE_PATHS } from "../edge/private-paths.ts";
import { PUBLIC_RPC_PATHS } from "../edge/public-rpcs.ts";
import { SERVICE_PORTS } from "../up/up-config.ts";
import { PAGES, readText, SHIPPED } from "./pages.ts";

/** Ports of programs that are not our services. */
const OTHER_PORTS: Readonly<Record<number, string>> = {
  80: "an edge",
  443: "an edge",
  4000: "the console",
  4318: "an OpenTelemetry collector",
  5432: "Postgres",
  6432: "a pooler",
  8080: "an edge on this machine",
  9090: "Prometheus",
  9093: "Alertmanager",
  9099: "whoever is told of alerts",
  13133: "the health of an OpenTelemetry collector",
};

/**
 * Names read by tests, by the operator's shell or by other programs, and enum values of answers.
 */
const OTHER_VARIABLES =
  /^(?:SMOKE_\w+|CANARY_PASSWORD|SOURCE_\w+|OUTCOME_\w+|OVERWRITE_\w+|NO_COLOR|EDGE_PORT|DURABILITY_\w+|PG[A-Z]+|OTEL_\w+|NODE_\w+|ALERTS_FOR_STATE|TRACES_ENDPOINT|(?:REJECT|DROP|STRICT|DOWNSTREAM|DYNAMIC)_\w+)$/;

/** A path that a service could answer. */
const ROUTE =
  /(?<![\w./-])\/(?:internal|gateway|healthz|readyz|metrics|console|\.well-known)[\w./-]*(?<=[\w/])/g;

const ROUTES = [
  ...[ADMIN_DOOR, PUBLIC_DOOR, DOOR, gateway.PUBLIC_DOOR, gateway.RPC_DOOR].flatMap((door) =>
    Object.keys(door).map((route) => route.replace(/^\w+ /, "")),
  ),
  ...["/healthz", "/readyz", "/metrics"],
  // An operator's YAML for the edge names it; no service of ours serves it.
  "/console/",
];

const RPC = /\/portcullis\.\w+\.v1\.\w+\/[A-Z]\w+/g;
const METRIC = /\bportcullis_[a-z][\w:]*/g;
const VARIABLE = /(?<![\w$-])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g;

const METRICS = Object.keys(parse(readText("deploy/metrics.yaml")).metrics).map((name) =>
  name.replaceAll(".", "_"),
);

test("what is shipped names no port on which nothing listens", () => {
  const known = [...Object.values(SERVICE_PORTS), ...Object.keys(OTHER_PORTS).map(Number)];
  expect(findShipped((text) => portsOf(text).filter((port) => !known.includes(port)))).toEqual([]);
});

test("what is shipped names no RPC that there is not", () => {
  const known = [...PRIVATE_PATHS, ...PUBLIC_RPC_PATHS];
  const isUnknown = (path: string) => !known.includes(path);
  expect(findShipped((text) => matchesOf(text, RPC).filter(isUnknown))).toEqual([]);
});

test("what is shipped names no route that no door has", () => {
  const isUnknown = (path: string) => !ROUTES.some((known) => known.startsWith(path));
  expect(findShipped((text) => matchesOf(text, ROUTE).filter(isUnknown))).toEqual([]);
});

test("what is shipped names no metric that there is not", () => {
  const known = [...METRICS, ...recordedSeries()];
  const isUnknown = (name: string) =>
    !known.includes(name) && !known.includes(name.replace(/_(?:total|bucket|sum|count)$/, ""));
  const files = SHIPPED.filter((file) => !/nginx|haproxy|caddy|envoy/.test(file));
  expect(findIn(files, (text) => matchesOf(text, METRIC).filter(isUnknown))).toEqual([]);
});

test("what is shipped names no variable that nothing reads", () => {
  const example = readText(".env.example");
  const isUnknown = (name: string) => !example.includes(`#${name}=`) && !OTHER_VARIABLES.test(name);
  expect(findShipped((text) => matchesOf(text, VARIABLE).filter(isUnknown))).toEqual([]);
});

test("the doors are documented: a page names every port of every service", () => {
  const pages = PAGES.map(readText).join("\n");
  const missing = Object.values(SERVICE_PORTS).filter((port) => !pages.includes(String(port)));
  expect(missing).toEqual([]);
});

/** The series that recording rules create. */
function recordedSeries(): string[] {
  return SHIPPED.flatMap((file) =>
    [...readText(file).matchAll(/^\s*- record: (\S+)$/gm)].map(([, name = ""]) => name),
  );
}

function matchesOf(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([match]) => match);
}

/** Returns what is found in files, with the file's name. */
function findIn(files: readonly string[], find: (text: string) => readonly unknown[]): string[] {
  return files.flatMap((file) => find(readText(file)).map((name) => `${file}: ${name}`));
}

function findShipped(find: (text: string) => readonly unknown[]): string[] {
  return findIn(SHIPPED, find);
}

/** Finds ports: numbers after a colon, or after a word for a port. */
function portsOf(text: string): number[] {
  const behindHost = text.matchAll(/[A-Za-z\d\]]:(\d{4,5})(?![\d.:-])/g);
  const behindWord = text.matchAll(/\b(?:port|port_value:|listen|bind)\s+:?(\d{2,5})\b/gi);
  const ofVariable = text.matchAll(/_PORT=(\d+)/g);
  return [...behindHost, ...behindWord, ...ofVariable]
    .map(([, port]) => Number(port))
    .filter(Boolean);
}
