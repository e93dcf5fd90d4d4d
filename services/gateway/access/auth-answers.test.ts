import { expect, test } from "vitest";
import { readIntrospection, readIntrospections, readRevocationPage } from "./auth-answers.ts";

const active = {
  active: true,
  datasource: "demo",
  subject: "public",
  scope: "datasource:stream",
  intent: { accessVersion: "3" },
};

/** Texts that are no object of JSON. */
const NOISE = ["", "null", '"active"', "[]", "{"];

test("readIntrospection() reads both answers", () => {
  expect(readIntrospection('{"active":false}')).toEqual({ kind: "inactive" });
  expect(readIntrospection(JSON.stringify({ ...active, later: [] }))).toEqual({
    kind: "active",
    datasource: "demo",
    subject: "public",
    scope: "datasource:stream",
    accessVersion: 3,
  });
});

test("readIntrospection() takes nothing malformed for an answer", () => {
  const malformed = [
    {},
    { active: "true" },
    { active: 1 },
    { active: null },
    { active: true },
    { ...active, active: "false" },
    { ...active, datasource: 1 },
    { ...active, subject: undefined },
    { ...active, scope: null },
    { ...active, intent: undefined },
    { ...active, intent: {} },
    { ...active, intent: { accessVersion: "three" } },
    { ...active, intent: { accessVersion: null } },
    { ...active, intent: { accessVersion: "9007199254740993" } },
  ];
  for (const text of [...NOISE, ...malformed.map((answer) => JSON.stringify(answer))]) {
    expect(readIntrospection(text), text).toBeUndefined();
  }
});

test("readIntrospections() wants one answer for each datasource", () => {
  const text = JSON.stringify({ results: [active, { active: false }] });
  expect(readIntrospections(text, 2)?.map(({ kind }) => kind)).toEqual(["active", "inactive"]);
  expect(readIntrospections(text, 1)).toBeUndefined();
  expect(readIntrospections('{"results":[{"active":false},{}]}', 2)).toBeUndefined();
  for (const noise of [...NOISE, "{}"]) expect(readIntrospections(noise, 1), noise).toBeUndefined();
});

test("readRevocationPage() takes nothing malformed for a page", () => {
  const event = { eventId: "1", kind: "jti", value: "x", revokedAt: "2030-01-01T00:00:00Z" };
  const page = { events: [event], nextCursor: "c", cursorExpired: true, later: {} };
  expect(readRevocationPage(JSON.stringify(page))).toEqual({
    kind: "page",
    events: [{ kind: "jti", value: "x" }],
    nextCursor: "c",
    cursorExpired: true,
  });
  const malformed = [
    {},
    { events: {} },
    { events: [event] },
    { events: [event, { kind: "jti" }], nextCursor: "c" },
    { events: [null], nextCursor: "c" },
  ];
  for (const text of [...NOISE, ...malformed.map((answer) => JSON.stringify(answer))]) {
    expect(readRevocationPage(text), text).toBeUndefined();
  }
});
