import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readConfig as readAuthConfig } from "../../services/auth/config.ts";
import { readConfig as readGatewayConfig } from "../../services/gateway/config.ts";
import { readConfig as readLimiterConfig } from "../../services/limiter/config.ts";
import type { Environment } from "../../services/runtime/env.ts";
import { readUpConfig } from "./up-config.ts";

const READERS: readonly ((environment: Environment) => unknown)[] = [
  readAuthConfig,
  readGatewayConfig,
  readLimiterConfig,
  readUpConfig,
];

/** Variables that OpenTelemetry reads itself. */
const READ_BY_OPENTELEMETRY = /^OTEL_/;

test(".env.example names every variable that is read, and no other", () => {
  const documented = variablesOf(readExample()).map(([name]) => name);
  const own = documented.filter((name) => !READ_BY_OPENTELEMETRY.test(name));
  expect(own.toSorted()).toEqual(readNames().toSorted());
  expect(new Set(documented).size).toBe(documented.length);
});

test("every value in .env.example is valid in development", () => {
  const environment = Object.fromEntries(variablesOf(readExample()));
  for (const read of READERS) {
    expect(() => read({ ...environment, NODE_ENV: "development" })).not.toThrow();
  }
});

test(".env.example sets nothing by itself, so that a copy of it changes nothing", () => {
  const active = readExample()
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  expect(active).toEqual([]);
});

function readExample(): string {
  return readFileSync(new URL("../../.env.example", import.meta.url), "utf8");
}

/** A setting is `#NAME=value`; a hash and a blank start prose. */
function variablesOf(text: string): [string, string][] {
  return [...text.matchAll(/^#([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, name = "", value = ""]) => [
    name,
    value,
  ]);
}

/** Returns every variable that a reader asks for, in development and outside it. */
function readNames(): string[] {
  const names = new Set<string>();
  for (const nodeEnv of ["development", "production"]) {
    const recorder: Environment = new Proxy<Record<string, string>>(
      { NODE_ENV: nodeEnv },
      {
        get(target, name) {
          names.add(String(name));
          return Reflect.get(target, name);
        },
      },
    );
    for (const read of READERS) ignoreProblems(() => read(recorder));
  }
  return [...names];
}

function ignoreProblems(read: () => unknown): void {
  try {
    read();
  } catch {
    // An empty environment is invalid outside development; only the names asked for count here.
  }
}
