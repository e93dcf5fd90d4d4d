import { expect, test } from "vitest";
import { CLOSE_CODES } from "./close-codes.ts";

test("CLOSE_CODES are different from each other and may be sent by a server", () => {
  const codes: readonly number[] = Object.values(CLOSE_CODES);
  expect(new Set(codes).size).toBe(codes.length);
  for (const code of codes) {
    expect([1003, 1009].includes(code) || (code >= 4_000 && code <= 4_999), String(code)).toBe(
      true,
    );
  }
});
