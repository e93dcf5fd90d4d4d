import { readTokens, type Token } from "./tokens.ts";

/** Ways to overrule the compiler, and work that was put off. */
export const DEBT_KINDS = ["any", "non-null", "cast", "suppression", "to-do"] as const;

export type DebtKind = (typeof DEBT_KINDS)[number];

export type Debt = { kind: DebtKind; line: number };

const SUPPRESSION = /@ts-(ignore|expect-error|nocheck)|biome-ignore/;
const TO_DO = /\b(TODO|FIXME|XXX|HACK)\b/;

/** Finds the debt in one TypeScript file. */
export function findDebt(source: string): Debt[] {
  const debts: Debt[] = [];
  const all = readTokens(source);
  for (const { kind, text, line } of all) {
    if (kind !== "comment") continue;
    if (SUPPRESSION.test(text)) debts.push({ kind: "suppression", line });
    if (TO_DO.test(text)) debts.push({ kind: "to-do", line });
  }
  const tokens = all.filter((token) => token.kind !== "comment");
  let isInSpecifiers = false;
  for (const [index, token] of tokens.entries()) {
    const before = tokens[index - 1];
    const after = tokens[index + 1];
    if (token.text === "{" && opensSpecifiers(tokens, index)) isInSpecifiers = true;
    if (token.text === "}") isInSpecifiers = false;
    if (isAny(token, before, after)) debts.push({ kind: "any", line: token.line });
    if (isNonNull(token, before)) debts.push({ kind: "non-null", line: token.line });
    if (!isInSpecifiers && isCast(token, before, after)) {
      debts.push({ kind: "cast", line: token.line });
    }
  }
  return debts.sort((a, b) => a.line - b.line);
}

/** `import {`, `import type {`, `import name, {` and the same with `export`. */
function opensSpecifiers(tokens: readonly Token[], index: number): boolean {
  const before = tokens.slice(Math.max(0, index - 4), index).map((token) => token.text);
  return /(^| )(import|export)( type)?( [\w$]+ ,)?$/.test(before.join(" "));
}

/** The type `any`, not a method such as `Promise.any` and not a property of that name. */
function isAny(token: Token, before: Token | undefined, after: Token | undefined): boolean {
  if (token.kind !== "word" || token.text !== "any") return false;
  return (
    before?.text !== "." && before?.text !== "?." && after?.text !== ":" && after?.text !== "("
  );
}

const WORDS_BEFORE_NOT = new Set(
  "await case delete do else in instanceof new of return throw typeof void yield".split(" "),
);

/** An exclamation mark after a value; before a value it negates. */
function isNonNull(token: Token, before: Token | undefined): boolean {
  if (token.kind !== "mark" || token.text !== "!" || before === undefined) return false;
  if (before.kind === "word") return !WORDS_BEFORE_NOT.has(before.text);
  return before.text === ")" || before.text === "]";
}

/** `as` with any type except `const`. */
function isCast(token: Token, before: Token | undefined, after: Token | undefined): boolean {
  if (token.kind !== "word" || token.text !== "as" || before === undefined) return false;
  if (before.text === "*" || before.text === "." || before.text === "?.") return false;
  const endsValue = before.kind !== "mark" || [")", "]", "}"].includes(before.text);
  const startsType = after !== undefined && (after.kind !== "mark" || "{[(".includes(after.text));
  return endsValue && startsType && after.text !== "const";
}
