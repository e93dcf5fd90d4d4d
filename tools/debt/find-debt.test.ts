import { expect, test } from "vitest";
import { findDebt } from "./find-debt.ts";

const DEBTS = [
  { source: "let x: any;", kinds: ["any"] },
  { source: "const x: Record<string, any> = {};", kinds: ["any"] },
  { source: "f(x!)", kinds: ["non-null"] },
  { source: "f(x()!.y, z[0]!)", kinds: ["non-null", "non-null"] },
  { source: "const x = y as Thing;", kinds: ["cast"] },
  { source: "const x = y as unknown as { a: 1 };", kinds: ["cast", "cast"] },
  { source: `const x = \`\${y as Thing}\`;`, kinds: ["cast"] },
  { source: "// @ts-expect-error on purpose\nf();", kinds: ["suppression"] },
  { source: "// biome-ignore lint/x: on purpose\nf();", kinds: ["suppression"] },
  { source: "/* FIXME later */ f();", kinds: ["to-do"] },
  { source: "const x = a / b; // TODO\nconst y = c / d as Thing;", kinds: ["to-do", "cast"] },
] as const;

test.each(DEBTS)("findDebt() finds $kinds in $source", ({ source, kinds }) => {
  expect(findDebt(source).map((debt) => debt.kind)).toEqual(kinds);
});

const CLEAN = [
  "await Promise.any(all);",
  "const x = { any: 1, as: 2 };",
  "const x = [1, 2] as const;",
  'import { a as b } from "c";',
  'import * as c from "c";',
  'import d, { e as f } from "c";',
  'export { a as b } from "c";',
  'export type { a as b } from "c";',
  "if (!x) return !y;",
  "const x = a !== b && a != c;",
  'const x = "y as any! TODO";',
  `const x = \`as any \${y} TODO {x as any}\`;`,
  "const x = /as any! TODO/.test(y);",
  "// as any!",
  "#!/usr/bin/env node\nf();",
];

test.each(CLEAN)("findDebt() finds nothing in %s", (source) => {
  expect(findDebt(source)).toEqual([]);
});

test("findDebt() names the line", () => {
  expect(findDebt('const a = `\n\n`;\n/*\n*/\nconst b = "" as Thing;\n')).toEqual([
    { kind: "cast", line: 6 },
  ]);
});
