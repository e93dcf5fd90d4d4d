/** Shorter values would be found in innocent words. */
export const SECRET_LENGTH_MIN = 4;
/** From this length on a value is found inside longer words, too. */
export const ANYWHERE_LENGTH_MIN = 8;
/** Six characters of base64 are in an innocent text once in 69 thousand millions. */
const BASE64_LENGTH_MIN = 6;
/** A part of a value, such as one line or one segment of a path, that is a secret by itself. */
const PART_LENGTH_MIN = 12;

/** Something to look for; a short one counts only where it is a word of its own. */
export type SecretForm = { text: string; isWord: boolean };

/** Every text under which a secret may be found: itself, what it is made of, and both in disguise. */
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

/** What is secret inside of a value: alternatives, lines, passwords of URLs and of DSNs. */
function partsOf(value: string): string[] {
  const lines = value.split(/[\r\n]+/).filter((line) => line.length >= PART_LENGTH_MIN);
  const listed = value.split(",").filter((part) => part.trim().length >= ANYWHERE_LENGTH_MIN);
  const hasSeveral = (parts: readonly string[]) => (parts.length > 1 ? parts : []);
  return [...hasSeveral(lines), ...listed, ...urlParts(value), ...dsnParts(value)];
}

/** Whose name a part has in a URL is not said; what is long enough is taken for a secret. */
function urlParts(value: string): string[] {
  // To the last @: a password may hold a slash, or an @, that nobody encoded.
  const [, user = "", password = ""] = /^[a-z][\w+.-]*:\/\/([^:/@]*):(.*)@/is.exec(value) ?? [];
  const parts = [password, decode(password), ...(user.length >= PART_LENGTH_MIN ? [user] : [])];
  if (!/^https?:\/\//i.test(value) || !URL.canParse(value)) return parts;
  const { pathname, searchParams, hash } = new URL(value);
  const segments = pathname.split("/").filter((segment) => segment.length >= PART_LENGTH_MIN);
  const queries = [...searchParams.values()].filter((one) => one.length >= ANYWHERE_LENGTH_MIN);
  return [...parts, ...segments, ...queries, hash.slice(1)];
}

/** `host=db password='it''s'`, as libpq takes it, and `Server=db;Password=…` of others. */
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

/** Percent signs and hexadecimal digits are written in either case. */
function inEitherCase(text: string): string[] {
  const lower = text.replace(/%[0-9A-F]{2}/g, (one) => one.toLowerCase());
  return [text, lower, ...(/^[0-9a-f]+$/.test(text) ? [text.toUpperCase()] : [])];
}

/**
 * As base64 by itself, and inside of something longer: there it can begin at each of three places,
 * and the characters at either end depend on its neighbours.
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
