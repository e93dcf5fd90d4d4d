import { Secret } from "./secret.ts";
import { findWeakness } from "./secret-strength.ts";

/** Lists every problem of the environment at once. */
export class ConfigError extends Error {
  override name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`invalid configuration:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads variables and collects what is wrong with them. Readers return a harmless value for a bad
 * variable, so call `finish()` before using any of them.
 */
export type EnvReader = ReturnType<typeof createEnvReader>;

/** The two values of NODE_ENV that count as development; unset does not. */
const DEVELOPMENT = new Set(["development", "test"]);

export function createEnvReader(environment: Environment) {
  const problems: string[] = [];
  const isDevelopment = DEVELOPMENT.has(environment["NODE_ENV"] ?? "");
  const read = (name: string) => environment[name]?.trim() || undefined;
  const problem = (name: string, message: string) => {
    problems.push(`${name} ${message}`);
  };

  /** The variable that holds each secret. One secret must not give access to two things. */
  const owners = new Map<string, string>();
  const checkSecret = (name: string, value: string) => {
    const owner = owners.get(value) ?? name;
    owners.set(value, owner);
    const weakness = findWeakness(value);
    if (weakness !== undefined) problem(name, weakness);
    else if (owner !== name) problem(name, `is the same as ${owner}; each must be its own`);
  };

  return {
    isDevelopment,
    problem,

    /** A text, or undefined when the variable is unset or blank. */
    optional: read,

    /** A text; required unless there is a default. */
    text(name: string, defaultValue?: string): string {
      const value = read(name) ?? defaultValue;
      if (value === undefined) problem(name, "is required");
      return value ?? "";
    },

    /** A whole number within bounds. */
    integer(name: string, bounds: { min: number; max: number; default: number }): number {
      const value = read(name);
      if (value === undefined) return bounds.default;
      const number = /^-?\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
      if (number >= bounds.min && number <= bounds.max) return number;
      problem(name, `must be a whole number from ${bounds.min} to ${bounds.max}`);
      return bounds.default;
    },

    /** `true` or `false`. */
    flag(name: string, defaultValue: boolean): boolean {
      const value = read(name);
      if (value === undefined) return defaultValue;
      if (value !== "true" && value !== "false") problem(name, "must be true or false");
      return value === "true";
    },

    /** One of a closed set of words. */
    oneOf<const T extends string>(name: string, values: readonly T[], defaultValue: T): T {
      const value = read(name);
      if (value === undefined) return defaultValue;
      const known = values.find((candidate) => candidate === value);
      if (known === undefined) problem(name, `must be one of ${values.join(", ")}`);
      return known ?? defaultValue;
    },

    /** A comma-separated list without blanks. A variable that is set but empty is a problem. */
    list(name: string): string[] {
      const value = read(name);
      const parts = (value ?? "").split(",").map((part) => part.trim());
      const list = parts.filter((part) => part !== "");
      if (value !== undefined && list.length === 0) problem(name, "is set and holds no value");
      return list;
    },

    /** An absolute URL with one of the given schemes. */
    url(name: string, schemes: readonly string[], defaultValue?: string): string {
      const value = read(name) ?? defaultValue;
      if (value === undefined) {
        problem(name, "is required");
        return "";
      }
      const text = withHost(value);
      const scheme = URL.canParse(text) ? new URL(text).protocol.slice(0, -1) : "";
      if (!schemes.includes(scheme)) problem(name, `must be a URL with ${schemes.join(" or ")}`);
      return value;
    },

    /**
     * A secret. Outside development it is required, and weak or well-known values are refused. Only
     * development uses `developmentValue`.
     */
    secret(name: string, developmentValue: string): Secret {
      const value = read(name);
      if (isDevelopment) return new Secret(value ?? developmentValue);
      if (value === undefined) problem(name, "is required");
      else checkSecret(name, value);
      return new Secret(value ?? "");
    },

    /** Up to two comma-separated secrets that are valid at the same time, for rotation. */
    rotatingSecret(name: string, developmentValue: string): Secret[] {
      const values = this.list(name);
      if (values.length > 2) problem(name, "holds more than two values");
      if (isDevelopment) {
        return (values.length > 0 ? values : [developmentValue]).map((v) => new Secret(v));
      }
      if (values.length === 0) problem(name, "is required");
      for (const value of values) checkSecret(name, value);
      return values.map((value) => new Secret(value));
    },

    /** Returns the frozen config. Throws a ConfigError that names every problem, if there are any. */
    finish<T extends object>(config: T): Readonly<T> {
      if (problems.length > 0) throw new ConfigError(problems);
      return Object.freeze(config);
    },
  };
}

/** Adds a host to a URL of a socket, which has none: `postgres://user@/database?host=/folder`. */
function withHost(url: string): string {
  return /^postgres(ql)?:/.test(url) ? url.replace("@/", "@socket/") : url;
}
