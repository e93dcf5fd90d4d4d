import { expect, test } from "vitest";
import { readIntrospection, readRevocationPage } from "./auth-answers.ts";

const active = {
  active: true,
  datasource: "demo",
  subject: "public",
  scope: "datasource:stream",
  intent: { accessVersion: "3" },
};

test("readIntrospection() reads both answers", () => {
  expect(readIntrospection({ active: false })).toEqual({ kind: "inactive" });
  expect(readIntrospection(active)).toMatchObject({ kind: "active", accessVersion: 3 });
});

test("readIntrospection() takes nothing malformed for an answer", () => {
  const malformed: unknown[] = [
    undefined,
    null,
    "active",
    [],
    {},
    { active: "true" },
    { active: 1 },
    { active: true },
    { ...active, active: "false" },
    { ...active, datasource: 1 },
    { ...active, subject: undefined },
    { ...active, scope: null },
    { ...active, intent: undefined },
    { ...active, intent: { accessVersion: "three" } },
    { ...active, intent: { accessVersion: null } },
  ];
  for (const answer of malformed) {
    expect(readIntrospection(answer), JSON.stringify(answer)).toBeUndefined();
  }
});

test("readRevocationPage() takes nothing malformed for a page", () => {
  const event = { eventId: "1", kind: "jti", value: "x", revokedAt: "2030-01-01T00:00:00Z" };
  expect(
    readRevocationPage({ events: [event], nextCursor: "c", cursorExpired: false }),
  ).toMatchObject({ events: [{ kind: "jti", value: "x" }], nextCursor: "c", cursorExpired: false });
  const malformed: unknown[] = [
    undefined,
    {},
    { events: {} },
    { events: [event, { kind: "jti" }], nextCursor: "c" },
    { events: [null], nextCursor: "c" },
  ];
  for (const answer of malformed) {
    expect(readRevocationPage(answer), JSON.stringify(answer)).toBeUndefined();
  }
});
