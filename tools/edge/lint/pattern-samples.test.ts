import { expect, test } from "vitest";
import { samplesOf } from "./pattern-samples.ts";

test("samplesOf() has a text for each alternative, without what can be absent", () => {
  expect(samplesOf("^/(admin|debug)/[a-z]+/?$")).toEqual(["/admin/x", "/debug/x"]);
  expect(samplesOf("^/v1/(?:a|b(?<c>c|d))x*$")).toEqual(["/v1/a", "/v1/bc", "/v1/bd"]);
  expect(samplesOf("\\.php$|^/x\\d{2,}")).toEqual(["/.php", "/x00"]);
  expect(samplesOf("(?i)^/Admin[^/]")).toEqual(["/Adminx"]);
});

test("samplesOf() has nothing for what it does not understand", () => {
  for (const pattern of ["^/(?!internal)", "^/(?>a)", "^/[a", "^/(a", "^/a)"]) {
    expect(samplesOf(pattern), pattern).toEqual([]);
  }
});

test("samplesOf() stays small, however many alternatives there are", () => {
  expect(samplesOf("^/(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)$")).toHaveLength(16);
});
