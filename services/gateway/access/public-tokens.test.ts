import { expect, test } from "vitest";
import { createManualClock } from "../../runtime/clock.ts";
import type { Introspection } from "./auth-answers.ts";
import type { Unreachable } from "./auth-client.ts";
import { PublicTokens } from "./public-tokens.ts";
import { RevocationMemory } from "./revocation-memory.ts";

const ACTIVE: Introspection = {
  kind: "active",
  datasource: "demo",
  subject: "public",
  scope: "datasource:stream",
  accessVersion: 1,
};

test("a crowd with one token is one question, and it is asked again after a while", async () => {
  const { tokens, questions, clock } = setup(ACTIVE);
  const crowd = Array.from({ length: 100 }, (_, index) =>
    tokens.introspect("t", `192.0.2.${index}`),
  );
  expect(new Set((await Promise.all(crowd)).map(({ answer }) => answer.kind))).toEqual(
    new Set(["active"]),
  );
  expect(questions).toEqual(["t by 192.0.2.0"]);
  clock.advance(2_999);
  await tokens.introspect("t", "192.0.2.7");
  expect(questions).toHaveLength(1);
  clock.advance(1);
  await tokens.introspect("t", "192.0.2.7");
  expect(questions).toHaveLength(2);
});

test("what was heard since the question is left to be checked, however late a client comes", async () => {
  const { tokens, revocations } = setup(ACTIVE);
  expect((await tokens.introspect("t", "192.0.2.1")).heardUntil).toBe(0);
  revocations.remember({ kind: "jti", jti: "1" });
  expect((await tokens.introspect("t", "192.0.2.2")).heardUntil).toBe(0);
});

test("neither a refusal nor an outage is remembered", async () => {
  for (const answer of [{ kind: "inactive" }, { kind: "unreachable" }] as const) {
    const { tokens, questions } = setup(answer);
    for (let count = 0; count < 3; count++) await tokens.introspect("t", "192.0.2.1");
    expect(questions, answer.kind).toHaveLength(3);
  }
});

function setup(answer: Introspection | Unreachable) {
  const clock = createManualClock(0);
  const revocations = new RevocationMemory();
  const questions: string[] = [];
  const auth = {
    async introspectToken(token: string, asker: { crowd: string; key?: string }) {
      questions.push(`${token} by ${asker.key}`);
      return answer;
    },
  };
  return { tokens: new PublicTokens({ auth, revocations, clock }), questions, clock, revocations };
}
