import { hash } from "@node-rs/argon2";
import { expect, test } from "vitest";
import { checkPassword, hashPassword, needsRehash, verifyPassword } from "./password-hash.ts";

const DUMMY = await hashPassword("nobody's password");

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

const FORMS = [
  ["composed", "Z\u00fcrich caf\u00e9"],
  ["decomposed", "Zu\u0308rich cafe\u0301"],
  ["with the spaces of other keyboards", "Z\u00fcrich\u00a0caf\u00e9"],
  ["in full width", "\uff3a\u00fcrich\u3000caf\u00e9"],
] as const;
for (const [form, typed] of FORMS) {
  for (const [storedForm, stored] of FORMS) {
    test(`a password set ${storedForm} is right when typed ${form}`, async () => {
      expect(await checkPassword(await hashPassword(stored), typed, DUMMY)).toBe("right");
    });
  }
}

test.each([
  ["composed", "caf\u00e9"],
  ["decomposed", "cafe\u0301"],
])("a password that another program hashed %s is right however it is typed", async (_form, raw) => {
  const passwordHash = await hash(raw, { memoryCost: 19_456, timeCost: 2 });
  for (const typed of ["caf\u00e9", "cafe\u0301"]) {
    expect(await verifyPassword(passwordHash, typed)).toBe(true);
    expect(await checkPassword(passwordHash, typed, DUMMY)).toMatch(/^right/);
  }
  expect(await checkPassword(passwordHash, "cafe", DUMMY)).toBe("wrong");
});

test("checkPassword() finds a hash stale that is weak, or of another spelling", async () => {
  const weak = await hash("x", { memoryCost: 8_192, timeCost: 2 });
  expect(await checkPassword(weak, "x", DUMMY)).toBe("right-but-stale");
  const decomposed = await hash("e\u0301", { memoryCost: 19_456, timeCost: 2 });
  expect(await checkPassword(decomposed, "\u00e9", DUMMY)).toBe("right-but-stale");
});

test.each([
  "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
  "$6$salt$hash",
  "",
  "plain",
  "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA",
  "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21l$aGFzaGhhc2hoYXNoaGFzaA",
  "$argon2id$v=19$m=19456,t=4000,p=1$c29tZXNhbHRzb21l$aGFzaGhhc2hoYXNoaGFzaA",
])("checkPassword() lets nobody in with %j, and takes its time", async (stored) => {
  const timeOf = async (passwordHash: string) => {
    const startMs = performance.now();
    expect(await checkPassword(passwordHash, "plain", DUMMY)).not.toMatch(/^right/);
    return performance.now() - startMs;
  };
  expect(await checkPassword(stored, "plain", DUMMY)).toBe("unreadable");
  expect(await timeOf(stored)).toBeGreaterThan((await timeOf(DUMMY)) / 4);
});
