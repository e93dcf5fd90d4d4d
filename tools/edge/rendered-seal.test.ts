import { expect, test } from "vitest";
import { readEdgeConfig } from "./read-edge-config.ts";
import { PROXIES, renderAll } from "./render.ts";
import { isAsRendered, sealRendered } from "./rendered-seal.ts";

test("isAsRendered() knows a rendered file of each proxy, and no other", () => {
  const reading = readEdgeConfig("");
  const files = reading.kind === "valid" ? renderAll(reading.config) : [];
  expect(files.length).toBeGreaterThanOrEqual(PROXIES.length);
  for (const { path, text } of files) {
    expect(isAsRendered(text), path).toBe(true);
    expect(isAsRendered(text.replace("4001", "4005")), path).toBe(false);
    expect(isAsRendered(`${text}# more\n`), path).toBe(false);
    expect(isAsRendered(`\n${text}`), path).toBe(false);
  }
});

test("isAsRendered() is false of a file without a hash", () => {
  expect(isAsRendered("")).toBe(false);
  expect(isAsRendered("events {}\n")).toBe(false);
  expect(isAsRendered(`${sealRendered("events {}\n")}${sealRendered("")}`)).toBe(false);
});
