import { isUtf8 } from "node:buffer";

/** A member that may hold any JSON, and the string field that takes the text of that JSON. */
export type VerbatimMember = { readonly name: string; readonly into: string };

type Lifted = { kind: "lifted"; bytes: Uint8Array } | { kind: "problem"; problem: string };

type Member = { key: string; at: number; value: { start: number; end: number } };

/**
 * Rewrites a JSON object so that one member becomes a string that holds the member's JSON, byte for
 * byte: parsing would lose digits, order, repeated keys and whitespace. The reader of that string
 * checks that it is JSON. An object without the member stays as it is.
 */
export function liftMember(bytes: Uint8Array, { name, into }: VerbatimMember): Lifted {
  if (!isUtf8(bytes)) return { kind: "problem", problem: "body: is not UTF-8" };
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  const members = findMembers(text);
  if (members === undefined) return { kind: "problem", problem: "body: must be a JSON object" };
  const [found, another] = members.filter(({ key }) => key === name);
  if (found === undefined) return { kind: "lifted", bytes };
  if (another !== undefined) {
    return { kind: "problem", problem: `${name}: is there more than once` };
  }
  if (members.some(({ key }) => key === into || key === snakeCaseOf(into))) {
    return { kind: "problem", problem: `${name}: is there beside ${into}` };
  }
  const { start, end } = found.value;
  const value = JSON.stringify(text.slice(start, end));
  const lifted = `${text.slice(0, found.at)}${JSON.stringify(into)}:${value}${text.slice(end)}`;
  return { kind: "lifted", bytes: Buffer.from(lifted) };
}

/** The members of a JSON object; undefined if the text is not an object. */
function findMembers(text: string): Member[] | undefined {
  const members: Member[] = [];
  let at = skipSpace(text, 0);
  if (text[at] !== "{") return undefined;
  at = skipSpace(text, at + 1);
  if (text[at] === "}") return isOver(text, at) ? members : undefined;
  for (;;) {
    const keyEnd = text[at] === '"' ? endOfText(text, at) : at;
    const key = readText(text.slice(at, keyEnd));
    const colon = skipSpace(text, keyEnd);
    if (key === undefined || text[colon] !== ":") return undefined;
    const start = skipSpace(text, colon + 1);
    const end = endOfValue(text, start);
    if (end === start) return undefined;
    members.push({ key, at, value: { start, end } });
    at = skipSpace(text, end);
    if (text[at] === "}") return isOver(text, at) ? members : undefined;
    if (text[at] !== ",") return undefined;
    at = skipSpace(text, at + 1);
  }
}

function isOver(text: string, lastBrace: number): boolean {
  return skipSpace(text, lastBrace + 1) === text.length;
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (at < text.length && SPACE.has(text.charAt(at))) at++;
  return at;
}

const SPACE: ReadonlySet<string> = new Set([" ", "\t", "\n", "\r"]);

/** The position after a string's closing quote; the end of the text if there is none. */
function endOfText(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}

/** The position after a value, by brackets and quotes; the end of the text if it is cut off. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const char = text.charAt(at);
    const isClosing = char === "}" || char === "]";
    if (depth === 0 && (isClosing || char === "," || SPACE.has(char))) return at;
    if (char === "{" || char === "[") depth++;
    if (isClosing) depth--;
    at = char === '"' ? endOfText(text, at) : at + 1;
    if (depth === 0 && (isClosing || char === '"')) return at;
  }
  return at;
}

/** The value of a JSON string; undefined if it is not one. */
function readText(json: string): string | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The field's name in the proto schema, which protobuf accepts in JSON too. */
function snakeCaseOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
