import { parseEnv } from "node:util";
import type { Environment } from "../../services/runtime/env.ts";

/** Takes secrets out of a text before it is shown or kept. */
export type Redact = (text: string) => string;

const SECRET_NAME =
  /TOKEN|PASSWORD|PASSWD|SECRET|SALT|CREDENTIAL|PRIVATE|SIGNING|APIKEY|(?:^|_)KEYS?$/i;
/** Shorter values would be found in innocent words. */
const SECRET_LENGTH_MIN = 6;

/** Values that are secret by their form, wherever they come from. */
const SHAPES: readonly [RegExp, string][] = [
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s@/]+@/gi, "$1:[redacted]@"],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{6,}/gi, "$1 [redacted]"],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, "[redacted]"],
  [
    /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
    "[redacted]",
  ],
  [
    /((?:[\w-]*(?:token|password|passwd|secret|salt|credential|api-?key)[\w-]*)["']?\s*[=:]\s*["']?)[^\s"',;&]+/gi,
    "$1[redacted]",
  ],
];

/**
 * Knows the values of the environment's secrets (and of the services' environment files), as well
 * as what secrets look like.
 */
export function createRedact(environments: readonly Environment[]): Redact {
  const values = environments
    .flatMap((environment) => Object.entries(environment))
    .flatMap(([name, value = ""]) => (SECRET_NAME.test(name) ? [value, ...value.split(",")] : []))
    .map((value) => value.trim())
    .filter((value) => value.length >= SECRET_LENGTH_MIN)
    .toSorted((a, b) => b.length - a.length);
  return (text) => {
    const known = values.reduce((rest, value) => rest.replaceAll(value, "[redacted]"), text);
    return SHAPES.reduce((rest, [shape, replacement]) => rest.replace(shape, replacement), known);
  };
}

/** The variables of an environment file. */
export function readEnvText(text: string): Environment {
  return { ...parseEnv(text) };
}
