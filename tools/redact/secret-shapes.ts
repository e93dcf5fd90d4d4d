import { isHarmless } from "./harmless.ts";
import { SECRET_LENGTH_MIN } from "./secret-forms.ts";

export const MARK = "[redacted]";

type Shape = { pattern: RegExp; replace: (...groups: string[]) => string };

const QUOTE = String.raw`\\*["']`;
/** A value after an equals sign or a colon: up to the closing quote, or one word. */
const VALUE = String.raw`(?:"(?:\\.|[^"\\])+"|'[^']+'|\\"(?:(?!\\").)+\\"|[^\s"'\\,;&]+)`;
const NAMED = String.raw`[\w.-]*(?:token|password|passwd|passphrase|secret|salt|credential|api-?_?key|access-?_?key|private-?_?key|signature|webhook)[\w-]*|(?:[\w.-]*[_.-])?(?:pass|pwd|dsn)`;

/** Patterns that are secret wherever they appear. */
const SHAPES: readonly Shape[] = [
  // Up to the last @ before a blank: a password may contain an unencoded slash.
  {
    pattern: /(?<![a-z0-9+.-])([a-z][a-z0-9+.-]*:\/\/)([^\s:/@"'<>]*):([^\s"'<>]+)@/gi,
    replace: (all, scheme, user, rest) => {
      const isPort = /^\d{1,5}(?:[/?#]|$)/.test(rest ?? "") && /\.|^localhost$/.test(user ?? "");
      return isPort ? (all ?? "") : `${scheme}${user}:${MARK}@`;
    },
  },
  { pattern: /\b(Bearer|Basic)\s+[\w.~+/=-]{6,}/gi, replace: (_all, kind) => `${kind} ${MARK}` },
  { pattern: /\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, replace: () => MARK },
  {
    pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
    replace: () => MARK,
  },
  {
    pattern:
      /\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}|[sr]k_(?:live|test)_\w{10,})/g,
    replace: () => MARK,
  },
  {
    pattern: /\bhttps?:\/\/(?:hooks\.[^\s"'<>]+|[^\s"'<>/]*\/[^\s"'<>]*webhooks?\/[^\s"'<>]+)/gi,
    replace: () => MARK,
  },
  {
    pattern: /([?&;](?:sig|signature|key|code|auth|x-amz-\w+)=)[^\s"'&;#]+/gi,
    replace: (_all, head) => `${head}${MARK}`,
  },
  {
    pattern: new RegExp(`(?<![\\w.-])((?:${NAMED})(?:${QUOTE})?\\s*[=:]\\s*)(${VALUE})`, "gi"),
    replace: (all, head, value = "") => {
      return isOpen(value) ? (all ?? "") : `${head}${marked(value)}`;
    },
  },
  {
    pattern: new RegExp(
      `(?<![\\w-])(--?[\\w-]*(?:pass|password|token|secret|credential|api-key|dsn)\\s+)(${VALUE})`,
      "gi",
    ),
    replace: (all, head, value = "") => {
      return isOpen(value) ? (all ?? "") : `${head}${marked(value)}`;
    },
  },
  // A variable that is not on the list of harmless ones.
  {
    pattern: new RegExp(`\\b([A-Z][A-Z0-9_]+)=(${VALUE})`, "g"),
    replace: (all, name = "", value = "") => {
      const bare = value.replace(/^\\?["']|\\?["']$/g, "");
      const isShown = bare.length < SECRET_LENGTH_MIN || isHarmless(name, bare) || isOpen(bare);
      return isShown ? (all ?? "") : `${name}=${marked(value)}`;
    },
  },
];

/** References to the environment are no values, and redacted values need no redaction. */
function isOpen(value: string): boolean {
  return /^["']?\$\{?\w+\}?["']?$/.test(value) || value.startsWith(MARK);
}

/** Keeps the quotes, so that the surrounding text stays readable. */
function marked(value: string): string {
  const quote = /^(?:\\?["'])/.exec(value)?.[0] ?? "";
  return `${quote}${MARK}${quote}`;
}

export function redactShapes(text: string): string {
  return SHAPES.reduce((rest, { pattern, replace }) => rest.replace(pattern, replace), text);
}
