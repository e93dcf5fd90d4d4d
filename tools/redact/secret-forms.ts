/** Shorter values would match innocent words. */
export const SECRET_LENGTH_MIN = 4;
/** Values of at least this length are also found inside longer words. */
export const ANYWHERE_LENGTH_MIN = 8;
/** Six characters of base64 occur in an innocent text once in 69 thousand million. */
const BASE64_LENGTH_MIN = 6;
/** The minimum length of a part of a value (one line, one path segment) that is a secret itself. */
const PART_LENGTH_MIN = 12;

/** A text to search for; a short one matches only as a whole word. */
export type SecretForm = { text: string; isWord: boolean };

/** Returns every text that may reveal a secret: the value, its parts, and the encodings of both. */
export function formsOf(value: string): SecretForm[] {
  const plain = [value, ...partsOf(value)]
    .map((text) => text.trim())
    .filter((text) => text.length >= SECRET_LENGTH_MIN);
  const texts = new Set(plain.flatMap(disguisesOf));
  const inBase64 = new Set(plain.flatMap(base64Forms));
  return [
    ...[...texts].map((text) => ({ text, isWord: text.length < ANYWHERE_LENGTH_MIN })),
    ...[...inBase64].map((text) => ({ text, isWord: false })),
  ];
}

/** Returns the secrets inside a value: alternatives, lines, passwords of URLs and of DSNs. */
function partsOf(value: string): string[] {
  const lines = value.split(/[\r\n]+/).filter((line) => line.length >= PART_LENGTH_MIN);
  const listed = value.split(",").filter((part) => part.trim().length >= ANYWHERE_LENGTH_MIN);
  const hasSeveral = (parts: readonly string[]) => (parts.length > 1 ? parts : []);
  return [...hasSeveral(lines), ...listed, ...urlParts(value), ...dsnParts(value)];
}

/**
 * A URL does not say which of its parts are secret; every part that is long enough counts as one.
 */
function urlParts(value: string): string[] {
  // Up to the last @: a password may contain an unencoded slash or @.
  const [, user = "", password = ""] = /^[a-z][\w+.-]*:\/\/([^:/@]*):(.*)@/is.exec(value) ?? [];
  const parts = [password, decode(password), ...(user.length >= PART_LENGTH_MIN ? [user] : [])];
  if (!/^https?:\/\//i.test(value) || !URL.canParse(value)) return parts;
  const { pathname, searchParams, hash } = new URL(value);
  const segments = pathname.split("/").filter((segment) => segment.length >= PART_LENGTH_MIN);
  const queries = [...searchParams.values()].filter((one) => one.length >= ANYWHERE_LENGTH_MIN);
  return [...parts, ...segments, ...queries, hash.slice(1)];
}

/** Reads `host=db password='it''s'`, as libpq does, and `Server=db;Password=…`. */
function dsnParts(value: string): string[] {
  const pairs = value.matchAll(
    /\b\w*(?:pass|pwd|secret|token|key)\w*\s*=\s*(?:'((?:[^'\\]|\\.)*)'|"([^"]*)"|([^\s;]+))/gi,
  );
  return [...pairs].flatMap(([, single, double, bare]) => {
    const text = single ?? double ?? bare ?? "";
    return [text, text.replace(/\\(.)/g, "$1")];
  });
}

function disguisesOf(text: string): string[] {
  const url = encodeURIComponent(text);
  const json = JSON.stringify(text).slice(1, -1);
  const strict = url.replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16)}`);
  const html = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return [
    text,
    ...[url, strict, encodeURI(text)].flatMap(inEitherCase),
    encodeURIComponent(url),
    ...[url, strict].flatMap((one) => inEitherCase(one.replaceAll("%20", "+"))),
    json,
    json.replaceAll("/", "\\/"),
    JSON.stringify(json).slice(1, -1),
    JSON.stringify(text).slice(1, -1).replaceAll("<", "\\u003c").replaceAll("&", "\\u0026"),
    html,
    html.replaceAll('"', "&quot;"),
    html.replaceAll('"', "&quot;").replaceAll("'", "&#39;"),
    html.replaceAll('"', "&quot;").replaceAll("'", "&#039;"),
    text.replaceAll("'", "'\\''"),
    ...inEitherCase(Buffer.from(text).toString("hex")),
  ];
}

/** Percent encodings use hexadecimal digits of either case. */
function inEitherCase(text: string): string[] {
  const lower = text.replace(/%[0-9A-F]{2}/g, (one) => one.toLowerCase());
  return [text, lower, ...(/^[0-9a-f]+$/.test(text) ? [text.toUpperCase()] : [])];
}

/**
 * The base64 of a value alone, and inside a longer text. There it starts at one of three offsets,
 * and the characters at both ends depend on the neighbours.
 */
function base64Forms(text: string): string[] {
  const bytes = Buffer.from(text);
  const forms = [0, 1, 2].map((offset) => {
    const whole = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
    const bare = whole.replace(/=+$/, "");
    const tail = (offset + bytes.length) % 3 === 0 ? 0 : 1;
    return bare.slice(offset === 0 ? 0 : offset + 1, bare.length - tail);
  });
  const whole = bytes.toString("base64");
  const all = [whole, ...forms.filter((form) => form.length >= BASE64_LENGTH_MIN)];
  return all.flatMap((form) => [form, form.replaceAll("+", "-").replaceAll("/", "_")]);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
