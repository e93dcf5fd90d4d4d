import { expect, test } from "vitest";
import { readColumns } from "./read-columns.ts";

const TERMINAL = { isTTY: true, columns: 100 };

for (const { text, stream, columns } of [
  { text: "80", stream: {}, columns: 80 },
  { text: "80", stream: TERMINAL, columns: 80 },
  { text: undefined, stream: TERMINAL, columns: 100 },
  { text: "", stream: TERMINAL, columns: 100 },
  { text: "wide", stream: TERMINAL, columns: 100 },
  { text: "3", stream: TERMINAL, columns: 20 },
  { text: undefined, stream: { isTTY: true, columns: 0 }, columns: undefined },
  { text: undefined, stream: {}, columns: undefined },
]) {
  test(`readColumns() is ${columns} for COLUMNS=${text} and ${JSON.stringify(stream)}`, () => {
    expect(readColumns(text, stream)).toBe(columns);
  });
}
