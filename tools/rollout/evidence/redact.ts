import { parseEnv } from "node:util";
import type { Environment } from "../../../services/runtime/env.ts";
import { isHarmless } from "../../redact/harmless.ts";
import { formsOf, type SecretForm } from "../../redact/secret-forms.ts";
import { MARK, redactShapes } from "../../redact/secret-shapes.ts";
import type { Json } from "./json.ts";

/** Takes secrets out of a text before it is shown or kept. */
export type Redact = (text: string) => string;

/**
 * Knows the values of the environment and of the services' environment files, all but those that
 * are named as harmless, as well as what secrets look like.
 */
export function createRedact(environments: readonly Environment[]): Redact {
  const shown = new Set<string>();
  const secrets = new Set<string>();
  for (const [name, value = ""] of environments.flatMap(Object.entries<string | undefined>)) {
    (isHarmless(name, value) ? shown : secrets).add(value.trim());
  }
  const forms = [...secrets]
    .flatMap(formsOf)
    // What a harmless variable holds may be shown, whoever else holds it.
    .filter(({ text }) => !shown.has(text) && !isHarmless("", text))
    .toSorted((a, b) => b.text.length - a.text.length)
    .map(finderOf);
  return (text) => redactShapes(forms.reduce((rest, find) => find(rest), text));
}

/** Short values are found as whole words alone. */
function finderOf({ text: form, isWord }: SecretForm): Redact {
  if (!isWord) return (text) => text.replaceAll(form, MARK);
  const literal = form.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const whole = new RegExp(`(?<![A-Za-z0-9])${literal}(?![A-Za-z0-9])`, "g");
  return (text) => text.replace(whole, MARK);
}

/** Redacts every text in a value; a number that is a secret becomes a text. */
export function redactJson(value: Json, redact: Redact): Json {
  if (typeof value === "string") return redact(value);
  if (typeof value === "number") return redact(String(value)) === String(value) ? value : MARK;
  if (Array.isArray(value)) return value.map((item) => redactJson(item, redact));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, redactMember(name, member, redact)]),
  );
}

/** In JSON the name of a secret stands apart from it. */
function redactMember(name: string, value: Json, redact: Redact): Json {
  if (typeof value !== "string") return redactJson(value, redact);
  const head = `${name}=`;
  const clean = redactShapes(`${head}${JSON.stringify(value)}`);
  return clean === `${head}"${MARK}"` ? MARK : redact(value);
}

/** The variables of an environment file. */
export function readEnvText(text: string): Environment {
  return { ...parseEnv(text) };
}
