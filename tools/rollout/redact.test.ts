import { expect, test } from "vitest";
import { createRedact, readEnvText } from "./redact.ts";

const redact = createRedact([
  {
    OPERATOR_SERVICE_TOKEN: "correct-horse,battery-staple",
    HOME: "/home/operator",
    API_KEY: "abc",
  },
  readEnvText("SECURITY_LIMITER_HASH_SALT='sea salt of 1999'\nDATABASE_NAME=auth"),
]);

test.each([
  ["a value of the environment", "sent correct-horse twice: correct-horse", /horse/],
  ["either of two rotating values", "now battery-staple", /staple/],
  ["a value of an environment file", "salt is sea salt of 1999.", /sea salt/],
  ["a password in a URL", "postgres://app:hunter2@db/auth", /hunter2/],
  ["a bearer token", "authorization: Bearer 0123456789abcdef", /0123456789/],
  ["a JSON web token", "got eyJhbGciOi.eyJzdWIi.c2ln", /c2ln/],
  ["an assignment", "DB_PASSWORD=swordfish make", /swordfish/],
  ["a member of JSON", '{"refreshToken":"swordfish","name":"x"}', /swordfish/],
  ["a private key", "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----", /MC4CAQ/],
])("redact() takes out %s", (_what, text, secret) => {
  expect(redact(text)).not.toMatch(secret);
  expect(redact(text)).toContain("[redacted]");
});

test("redact() leaves everything else as it is", () => {
  const text = "reloaded nginx in /home/operator for auth at http://127.0.0.1:4001/x?abc=1";
  expect(redact(text)).toBe(text);
});
