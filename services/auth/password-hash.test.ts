import { hash } from "@node-rs/argon2";
import { expect, test } from "vitest";
import { hashPassword, needsRehash, verifyPassword } from "./password-hash.ts";

test("hashPassword() uses Argon2id with OWASP's parameters and a fresh salt", async () => {
  const first = await hashPassword("correct horse");
  expect(first).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(await hashPassword("correct horse")).not.toBe(first);
});

test("verifyPassword() tells the right password from a wrong one", async () => {
  const passwordHash = await hashPassword("correct horse");
  expect(await verifyPassword(passwordHash, "correct horse")).toBe(true);
  expect(await verifyPassword(passwordHash, "correct horsf")).toBe(false);
});

test("needsRehash() asks for more only of weaker hashes", async () => {
  expect(needsRehash(await hashPassword("x"))).toBe(false);
  expect(needsRehash(await hash("x", { memoryCost: 8_192, timeCost: 2 }))).toBe(true);
  expect(needsRehash(await hash("x", { memoryCost: 32_768, timeCost: 3 }))).toBe(false);
});
