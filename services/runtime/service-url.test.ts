import { expect, test } from "vitest";
import { ConfigError, createEnvReader } from "./env.ts";
import { readServiceUrl } from "./service-url.ts";

test.each([
  [undefined, "http://127.0.0.1:4002"],
  ["http://limiter:4002", "http://limiter:4002"],
  ["http://limiter:4002/", "http://limiter:4002"],
  ["https://limiter.internal", "https://limiter.internal"],
  ["HTTPS://Limiter.Internal:443//", "https://limiter.internal"],
  ["https://mesh.internal/limiter/", "https://mesh.internal/limiter"],
  ["http://[fd00::1]:4002", "http://[fd00::1]:4002"],
])("readServiceUrl() reads %s as %s", (text, url) => {
  const env = createEnvReader({ LIMITER_URL: text });
  expect(readServiceUrl(env, "LIMITER_URL", "http://127.0.0.1:4002")).toBe(url);
  expect(env.finish({})).toEqual({});
});

test.each([
  "limiter:4002",
  "limiter",
  "//limiter",
  "h2c://limiter",
  "grpc://limiter:4003",
  "unix:///run/limiter.sock",
  "http:limiter:4002",
  "http://",
  "http://limiter:0",
  "http://limiter:99999",
  "http://user:secret1@limiter:4002",
  "http://token@limiter:4002",
  "http://limiter:4002?x=1",
  "http://limiter:4002/?",
  "http://limiter:4002/#here",
])(
  "readServiceUrl() refuses %s with the name of the variable, and without what it holds",
  (text) => {
    const env = createEnvReader({ LIMITER_URL: text });
    readServiceUrl(env, "LIMITER_URL", "http://127.0.0.1:4002");
    expect(() => env.finish({})).toThrow(ConfigError);
    expect(() => env.finish({})).toThrow(/\n {2}LIMITER_URL [a-z]/);
    expect(() => env.finish({})).not.toThrow("secret1");
  },
);
