import { expect, test } from "vitest";
import { widthOf, wrapText } from "./wrap-text.ts";

test("wrapText() breaks between words, under the last column", () => {
  const line = "PASS   spoof.login  Spoofed addresses on the route: 40 spellings derived 127.0.0.1";
  expect(wrapText(`${line}\nshort\n`, 60)).toBe(
    [
      "PASS   spoof.login  Spoofed addresses on the route: 40",
      "                    spellings derived 127.0.0.1",
      "short",
      "",
    ].join("\n"),
  );
});

test("wrapText() begins further left where a column would be too narrow", () => {
  const line = "FAIL   an.identifier.that.is.long  one two three four five six seven";
  expect(wrapText(line, 44)).toBe(
    ["FAIL   an.identifier.that.is.long  one two", "       three four five six seven"].join("\n"),
  );
});

test("wrapText() holds every line to the width, for any width, but keeps words whole", () => {
  const path = "/a/path/that/is/longer/than/the/narrowest/terminal/of/all";
  const text = `why:  because ${"of this and that ".repeat(20)}\n${path} is whole`;
  for (const columns of [20, 40, 80, 132]) {
    const lines = wrapText(text, columns).split("\n");
    expect(lines.filter((line) => widthOf(line) > columns && line.trim() !== path)).toEqual([]);
    expect(lines.join(" ")).toContain(path);
  }
});

test("wrapText() does not count colours", () => {
  const red = (text: string) => `\u001b[31m${text}\u001b[39m`;
  expect(wrapText(`${red("FAIL")} ${red("one")} two`, 12)).not.toContain("\n");
});
