import { expect, test } from "vitest";
import { createAllowedOrigins, findOriginProblem } from "./allowed-origins.ts";

test.each([
  "https://app.example",
  "http://localhost:5173",
  "http://[::1]:8080",
  "https://xn--bcher-kva.example",
  "capacitor://localhost",
  "ionic://localhost",
  "tauri://localhost",
  "app://.",
  "app://obsidian.md",
  "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
  "moz-extension://2b8d9f54-6f0e-4f6e-9d55-3f6c1f8f1b11",
  "safari-web-extension://2B8D9F54-6F0E-4F6E-9D55-3F6C1F8F1B11",
])("%s is an origin, and allows itself alone", (origin) => {
  expect(findOriginProblem(origin)).toBeUndefined();
  const allowed = createAllowedOrigins([origin]);
  expect(allowed.has(origin)).toBe(true);
  for (const other of [`${origin}.evil.test`, `${origin}0`, `x${origin}`, "null", ""]) {
    expect(allowed.has(other), other).toBe(false);
  }
});

test.each([
  "*",
  "null",
  "a.test",
  "localhost:3000",
  "https://",
  "https://a.test/",
  "https://a.test/path",
  "https://a.test?x",
  "https://user@a.test",
  "https://a.test:443",
  "https://A.test",
  "https://bücher.example",
  "https://a.test:99999",
  "HTTPS://a.test",
  "Capacitor://localhost",
  "capacitor://localhost/",
  "wss://a.test",
  "file://a",
  "data://a",
  "https://*",
  "https://*.com",
  "https://*.example.com/",
  "https://*.example.com:443",
  "https://*.0.0.1",
  "https://a.*.example.com",
  "https://*example.com",
  "https://app.example:*",
  "capacitor://*",
  "chrome-extension://*",
])("%s allows nothing that a browser sends, and is refused", (text) => {
  expect(findOriginProblem(text)).toEqual(expect.any(String));
});

test("https://*.example.com allows every subdomain at its port, and nothing else", () => {
  expect(findOriginProblem("https://*.example.com")).toBeUndefined();
  const allowed = createAllowedOrigins(["https://*.example.com", "https://*.a-b.test:8443"]);
  for (const origin of [
    "https://a.example.com",
    "https://a.b-c.example.com",
    "https://x.a-b.test:8443",
  ]) {
    expect(allowed.has(origin), origin).toBe(true);
  }
  for (const origin of [
    "https://example.com",
    "http://a.example.com",
    "https://a.example.com:8443",
    "https://a.example.com.evil.test",
    "https://evilexample.com",
    "https://a.exampleXcom",
    "https://evil.test/.example.com",
    "https://evil.test#.example.com",
    "https://user@a.example.com",
    "https://x.a-b.test",
    "https://*.example.com.evil.test",
    `https://${"a.".repeat(400)}example.com`,
  ]) {
    expect(allowed.has(origin), origin).toBe(false);
  }
});

test("http://localhost:* allows every port of this machine", () => {
  const allowed = createAllowedOrigins(["http://localhost:*", "http://[::1]:*"]);
  for (const origin of ["http://localhost", "http://localhost:5173", "http://[::1]:80"]) {
    expect(allowed.has(origin), origin).toBe(true);
  }
  for (const origin of [
    "https://localhost:1",
    "http://localhost.evil.test",
    "http://127.0.0.1:1",
  ]) {
    expect(allowed.has(origin), origin).toBe(false);
  }
});
