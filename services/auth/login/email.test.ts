import { expect, test } from "vitest";
import { normaliseEmail } from "./email.ts";

test("normaliseEmail() makes one spelling of case, blanks around it and composed letters", () => {
  const spellings = ["Zoé@Example.TEST", " zoé@example.test ", "zoe\u0301@example.test"];
  for (const spelling of spellings) {
    expect(normaliseEmail(spelling), spelling).toBe("zoé@example.test");
  }
});

test("normaliseEmail() refuses what cannot be an address", () => {
  const bad = ["", "   ", "a b@example.test", "a\u0000@example.test", "a\u200b@example.test"];
  for (const text of [...bad, `${"a".repeat(251)}@b.c`, "\ud800@example.test"]) {
    expect(normaliseEmail(text), JSON.stringify(text)).toBeUndefined();
  }
});

test("normaliseEmail() measures bytes after normalising", () => {
  expect(normaliseEmail(`${"a".repeat(250)}@b.c`)).toHaveLength(254);
  expect(normaliseEmail("é".repeat(127))).toBe("é".repeat(127));
  expect(normaliseEmail(`${"é".repeat(127)}a`)).toBeUndefined();
});
