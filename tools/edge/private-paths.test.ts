import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ROUTES } from "./edge-policy.ts";
import { NEIGHBOURING_PATHS, PRIVATE_PATHS } from "./private-paths.ts";

const PROTO = new URL("../../proto/", import.meta.url);

test("PRIVATE_PATHS has every method of every contract that is not a browser's", () => {
  const methods = readdirSync(PROTO, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".proto"))
    .flatMap((name) => methodsOf(readFileSync(new URL(name, PROTO), "utf8")));
  expect(methods.length).toBeGreaterThan(10);
  expect(methods.filter((path) => !isPublic(path) && !PRIVATE_PATHS.includes(path))).toEqual([]);
});

test("PRIVATE_PATHS and NEIGHBOURING_PATHS have nothing that is public", () => {
  expect([...PRIVATE_PATHS, ...NEIGHBOURING_PATHS].filter(isPublic)).toEqual([]);
});

function isPublic(path: string): boolean {
  return ROUTES.some(({ pattern }) => new RegExp(pattern).test(path));
}

function methodsOf(proto: string): string[] {
  const name = /^package (\S+);/m.exec(proto)?.[1];
  return [...proto.matchAll(/^service (\w+) \{([\s\S]*?)^\}/gm)].flatMap(([, service, body]) => {
    const methods = [...(body ?? "").matchAll(/^ {2}rpc (\w+)\(/gm)];
    return methods.map(([, method]) => `/${name}.${service}/${method}`);
  });
}
