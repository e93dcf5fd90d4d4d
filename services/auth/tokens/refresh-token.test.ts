import { randomBytes, randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { createRefreshTokens, idsWithTag, tagOf } from "./refresh-token.ts";

const SESSION = "5d1fd3f2-6f0d-4c43-8a9e-3a1c93e0f2a7";
const tokens = createRefreshTokens(randomBytes(32));

test("read() tells the login session of a token from its text", () => {
  const { token, digest } = tokens.generate(tagOf(SESSION));
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(tokens.read(token)).toEqual({ kind: "named", digest, tag: tagOf(SESSION) });
  expect(tokens.generate(tagOf(SESSION)).token).not.toBe(token);
});

test("read() takes no token that was changed in any character, or made under another key", () => {
  const { token } = tokens.generate(tagOf(SESSION));
  for (let index = 0; index < token.length; index++) {
    for (const character of ["A", "B", "_"].filter((one) => one !== token[index])) {
      const changed = token.slice(0, index) + character + token.slice(index + 1);
      expect(tokens.read(changed).kind, `${index}`).toBe("unnamed");
    }
  }
  expect(createRefreshTokens(randomBytes(32)).read(token).kind).toBe("unnamed");
});

test("read() takes another shape for noise", () => {
  const shapes = ["", "x", "x".repeat(42), "x".repeat(44), `${"x".repeat(42)}=`, "ä".repeat(43)];
  for (const text of shapes) expect(tokens.read(text)).toEqual({ kind: "noise" });
});

test("idsWithTag() spans the login session of the tag, and hardly any other", () => {
  const { lowest, highest } = idsWithTag(tagOf(SESSION));
  expect(lowest <= SESSION && SESSION <= highest).toBe(true);
  const others = Array.from({ length: 1_000 }, () => randomUUID());
  expect(others.filter((id) => lowest <= id && id <= highest)).toEqual([]);
});
