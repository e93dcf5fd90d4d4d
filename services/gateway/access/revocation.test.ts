import { describe, expect, test } from "vitest";
import type { Grant } from "./grant.ts";
import { keyOfRevocation, keysOfGrant, readRevocation, revokes } from "./revocation.ts";
import { RevocationMemory } from "./revocation-memory.ts";

const withToken: Grant = {
  datasource: "demo",
  subject: "account-1",
  accessVersion: 2,
  heardUntil: 0,
  token: {
    text: "token",
    jti: "jti-1",
    keyId: "key-1",
    loginSession: "session-1",
    issuedAtMs: 100_000,
    expiresAtMs: 400_000,
  },
};
const withoutToken: Grant = {
  datasource: "demo",
  subject: "public",
  accessVersion: 2,
  heardUntil: 0,
};

describe("a revocation ends exactly the grants it is about:", () => {
  const cases = [
    { kind: "jti", value: "jti-1", token: true, anonymous: false },
    { kind: "jti", value: "jti-2", token: false, anonymous: false },
    { kind: "login-session", value: "session-1", token: true, anonymous: false },
    { kind: "login-session", value: "session-2", token: false, anonymous: false },
    { kind: "key", value: "key-1", token: true, anonymous: false },
    { kind: "key", value: "key-2", token: false, anonymous: false },
    { kind: "account", value: "account-1:101", token: true, anonymous: false },
    { kind: "account", value: "account-1:100", token: false, anonymous: false },
    { kind: "account", value: "account-2:101", token: false, anonymous: false },
    { kind: "account", value: "public:101", token: false, anonymous: false },
    { kind: "datasource", value: "demo:3", token: true, anonymous: true },
    { kind: "datasource", value: "demo:2", token: false, anonymous: false },
    { kind: "datasource", value: "other:3", token: false, anonymous: false },
  ];
  for (const { kind, value, token, anonymous } of cases) {
    test(`${kind} ${value}`, () => {
      const revocation = readRevocation(kind, value);
      expect(revocation && revokes(revocation, withToken)).toBe(token);
      expect(revocation && revokes(revocation, withoutToken)).toBe(anonymous);
    });
  }
});

test("readRevocation() refuses what it does not understand", () => {
  const refused = [
    ["jti", ""],
    ["account", "account-1"],
    ["account", "account-1:"],
    ["account", "account-1:x"],
    ["datasource", "demo"],
    ["datasource", ":3"],
    ["datasource", "demo:-3"],
    ["planet", "earth"],
  ] as const;
  for (const [kind, value] of refused) {
    expect(readRevocation(kind, value), `${kind} ${value}`).toBeUndefined();
  }
});

test("keysOfGrant() holds the key of every revocation that can end the grant", () => {
  const revocations = [
    ["jti", "jti-1"],
    ["login-session", "session-1"],
    ["key", "key-1"],
    ["account", "account-1:101"],
    ["datasource", "demo:3"],
  ] as const;
  for (const [kind, value] of revocations) {
    const revocation = readRevocation(kind, value);
    expect(keysOfGrant(withToken)).toContain(revocation && keyOfRevocation(revocation));
  }
  expect(keysOfGrant(withoutToken)).toEqual(["datasource demo"]);
});

test("RevocationMemory.check() finds what was heard after the grant was asked for", () => {
  const memory = new RevocationMemory(3);
  memory.remember({ kind: "jti", jti: "jti-1" });
  expect(memory.check(withToken)).toBe("revoked");
  expect(memory.check({ ...withToken, heardUntil: memory.heard })).toBe("valid");
  expect(memory.check(withoutToken)).toBe("valid");
});

test("RevocationMemory.check() does not vouch for what it has forgotten", () => {
  const memory = new RevocationMemory(3);
  for (let count = 0; count < 3; count++) memory.remember({ kind: "jti", jti: `other ${count}` });
  expect(memory.check(withToken)).toBe("valid");
  memory.remember({ kind: "jti", jti: "other 3" });
  expect(memory.check(withToken)).toBe("unknown");
});

test("RevocationMemory.lose() puts every earlier grant in doubt, and no later one", () => {
  const memory = new RevocationMemory(3);
  memory.lose();
  expect(memory.check(withToken)).toBe("unknown");
  const later = { ...withToken, heardUntil: memory.heard };
  expect(memory.check(later)).toBe("valid");
  memory.remember({ kind: "jti", jti: "jti-1" });
  expect(memory.check(later)).toBe("revoked");
});
