import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { ConfigError, createEnvReader, type Environment } from "./env.ts";

const RANDOM = "5f0c1d9ae4b87362c1f0a9d8e7b6c5d4";

test("finish() names every problem at once", () => {
  const env = createEnvReader({
    PORT: "70000",
    FLAG: "yes",
    MODE: "open",
    LINK: "ftp://x",
    N: "1.5",
  });
  env.integer("PORT", { min: 0, max: 65_535, default: 1 });
  env.integer("N", { min: 0, max: 9, default: 1 });
  env.flag("FLAG", false);
  env.oneOf("MODE", ["a", "b"], "a");
  env.url("LINK", ["http", "https"]);
  env.text("MISSING");
  expect(problemsOf(() => env.finish({}))).toEqual([
    "PORT must be a whole number from 0 to 65535",
    "N must be a whole number from 0 to 9",
    "FLAG must be true or false",
    "MODE must be one of a, b",
    "LINK must be a URL with http or https",
    "MISSING is required",
  ]);
});

test("readers answer the values, and the defaults of what is unset or blank", () => {
  const env = createEnvReader({ PORT: " 80 ", FLAG: "true", LIST: "a, b,,", BLANK: "  " });
  expect(env.integer("PORT", { min: 0, max: 99, default: 1 })).toBe(80);
  expect(env.flag("FLAG", false)).toBe(true);
  expect(env.list("LIST")).toEqual(["a", "b"]);
  expect(env.text("BLANK", "default")).toBe("default");
  expect(env.finish({ ok: true })).toEqual({ ok: true });
});

test("secret() refuses weak and well-known values outside development", () => {
  const refused = [
    [undefined, "is required"],
    ["development-auth-token", "well-known"],
    ["changeme-changeme-changeme-changeme", "well-known"],
    ["5f0c1d9ae4b87362", "too short"],
    ["abababababababababababababababababab", "not random"],
  ] as const;
  for (const [value, problem] of refused) {
    const env = createEnvReader({ TOKEN: value });
    env.secret("TOKEN", "development-auth-token");
    expect(problemsOf(() => env.finish({}))[0]).toContain(`TOKEN`);
    expect(problemsOf(() => env.finish({}))[0]).toContain(problem);
  }
});

test("secret() has a value of its own in development alone", () => {
  for (const NODE_ENV of ["development", "test"]) {
    const env = createEnvReader({ NODE_ENV });
    expect(env.secret("TOKEN", "development-value").reveal()).toBe("development-value");
  }
  for (const NODE_ENV of [undefined, "production", "Development"]) {
    const env = createEnvReader({ NODE_ENV });
    env.secret("TOKEN", "development-value");
    expect(() => env.finish({})).toThrow(ConfigError);
  }
});

test("rotatingSecret() takes one or two values, each as strong as one", () => {
  const read = (TOKEN: string) => {
    const env = createEnvReader({ TOKEN });
    const secrets = env.rotatingSecret("TOKEN", "x");
    env.finish({});
    return secrets.map((secret) => secret.reveal());
  };
  expect(read(RANDOM)).toEqual([RANDOM]);
  expect(read(`${RANDOM},${RANDOM}0`)).toEqual([RANDOM, `${RANDOM}0`]);
  expect(() => read(`${RANDOM},weak`)).toThrow("TOKEN is too short");
  expect(() => read([RANDOM, RANDOM, RANDOM].join())).toThrow("TOKEN holds more than two values");
});

test("a configuration with secrets prints without them", () => {
  const env = createEnvReader({ TOKEN: RANDOM } satisfies Environment);
  const config = env.finish({ token: env.secret("TOKEN", "x") });
  expect(JSON.stringify(config)).toBe('{"token":"[redacted]"}');
  expect(`${config.token}`).toBe("[redacted]");
});

function problemsOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).problems;
  }
  throw new Error("expected a ConfigError");
}

test("list() names a variable that is set and holds nothing", () => {
  const env = createEnvReader({ LIST: " , ," });
  expect(env.list("LIST")).toEqual([]);
  expect(() => env.finish({})).toThrow("LIST is set and holds no value");
});

test("secrets that are the same under two names are refused outside development", () => {
  const [one, other] = ["a", "b"].map((salt) => digest(salt));
  const values = { ONE: `${one}`, TWO: `${other},${one}` };
  const env = createEnvReader(values);
  for (const name of ["ONE", "TWO"]) env.rotatingSecret(name, "");
  expect(() => env.finish({})).toThrow(/^ {2}TWO is the same as ONE/m);
  const development = createEnvReader({ ...values, NODE_ENV: "development" });
  for (const name of ["ONE", "TWO"]) development.rotatingSecret(name, "");
  expect(development.finish({ ok: true })).toEqual({ ok: true });
});

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
