import { expect, test } from "vitest";
import { matchesPath, readNginxPattern } from "./pattern.ts";

test("matchesPath() reads PCRE's own spellings of what JavaScript has, too", () => {
  for (const pattern of [
    "(?i)^/INTERNAL/",
    "^/(?P<kind>internal)/",
    "^/[[:alpha:]]+/",
    "^/[^[:upper:]/]+/",
    "\\A/internal/",
    "^/internal/x\\z",
  ]) {
    expect(matchesPath(readNginxPattern(pattern, false), "/internal/x"), pattern).toBe("yes");
    expect(matchesPath(readNginxPattern(pattern, false), "/0"), pattern).toBe("no");
  }
});

test("matchesPath() does not guess what only PCRE can read", () => {
  for (const pattern of [
    "^/(?>internal)/",
    "^/internal++/",
    "^/(?s)internal",
    "^/(?|a|b)",
    "^/\\Qinternal\\E",
    "^/\\p{L}+",
    "^/\\x{69}nternal",
    "^/[]a]",
    "^/(?&x)",
    "^/(internal",
  ]) {
    expect(matchesPath(readNginxPattern(pattern, false), "/internal/x"), pattern).toBe("maybe");
  }
});

test("readNginxPattern() knows what each group can hold, the whole match first", () => {
  const { groups } = readNginxPattern("^/(?:a|b)/((x)[)]y)/(?<name>z)$", false);
  expect(groups).toEqual(["/(?:a|b)/((x)[)]y)/(?<name>z)", "(x)[)]y", "x", "z"]);
});

test("readNginxPattern() lets a group that looks around itself hold anything", () => {
  const [, group = ""] = readNginxPattern("^/((?!internal).*)$", false).groups;
  expect(new RegExp(`^${group}$`).test("internal/x")).toBe(true);
});
