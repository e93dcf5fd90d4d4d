import { describe, expect, test } from "vitest";
import { createRedact, readEnvText, redactJson } from "./redact.ts";

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
  ["a password with slashes in a URL", "postgres://app:hun/ter/2@db/auth", /ter/],
  ["a password with an @ in a URL", "redis://:hun@ter2@cache:6379/0", /ter2/],
  ["a bearer token", "authorization: Bearer 0123456789abcdef", /0123456789/],
  ["a JSON web token", "got eyJhbGciOi.eyJzdWIi.c2ln", /c2ln/],
  ["an assignment", "DB_PASSWORD=swordfish make", /swordfish/],
  ["an assignment of a name nobody knows", "FROB=swordfish make", /swordfish/],
  ["a quoted assignment", "FROB='sword fish' make", /sword|fish/],
  ["a short name of a password", "DB_PASS: swordfish", /swordfish/],
  ["an option with a password", "mysql --password swordfish -h db", /swordfish/],
  ["a member of JSON", '{"refreshToken":"swordfish","name":"x"}', /swordfish/],
  ["a member of JSON inside of JSON", '{\\"refreshToken\\":\\"swordfish\\"}', /swordfish/],
  ["an access key of AWS", "key AKIAIOSFODNN7EXAMPLE used", /AKIA/],
  ["a webhook", "POST https://hooks.chat.example/services/T00/B00/XyZ", /XyZ/],
  ["a webhook by its path", "POST https://chat.example/api/webhooks/1/XyZ", /XyZ/],
  ["a signature in a query", "GET https://store.example/a?sig=XyZXyZ&b=1", /XyZ/],
  ["a private key", "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----", /MC4CAQ/],
])("redact() takes out %s", (_what, text, secret) => {
  expect(redact(text)).not.toMatch(secret);
  expect(redact(text)).toContain("[redacted]");
});

test.each([
  "reloaded nginx in /home/operator for auth at http://127.0.0.1:4001/x?abc=1",
  "set NODE_ENV=production and random service tokens",
  "set LIMITER_SYNCHRONOUS_COMMIT=on: a crash forgets charges",
  "deploy with $DB_PASS to DB_PASS=$DB_PASS",
  "auth 1 (runs with 0), limiter 1 (runs with 0), gateway 1",
  "gateway at http://127.0.0.1:8001, mail to a@b.example",
])("redact() leaves everything else as it is: %s", (text) => {
  expect(redact(text)).toBe(text);
});

describe("a value that nobody named as harmless", () => {
  const secrets: Record<string, string> = {
    DB_PASS: "pa/ss w+rd&<'\"=é",
    PGPASS: "Tr0ub4dor",
    AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE",
    ALERTS_WEBHOOK: "https://chat.example/in/T0123456789AB/B0123456789AB?sign=0a1b2c3d4e",
    FROBNICATOR: "plugh-xyzzy-1",
    PIN: "493817",
    PEM: "first-line-of-a-key\nsecond-line-of-a-key",
  };
  const own = createRedact([{ ...secrets, PATH: "/usr/bin" }]);
  const disguises: readonly [string, (secret: string) => string][] = [
    ["as it is", (secret) => secret],
    ["inside of a text", (secret) => `before ${secret} after`],
    ["in quotes", (secret) => `said "${secret}".`],
    ["in JSON", (secret) => JSON.stringify({ said: secret })],
    ["in JSON inside of JSON", (secret) => JSON.stringify(JSON.stringify([secret]))],
    ["in a URL", (secret) => `https://h.example/${encodeURIComponent(secret)}/x`],
    ["in a URL, in small letters", (secret) => `/${lowerCase(encodeURIComponent(secret))}/`],
    ["in a form", (secret) => new URLSearchParams({ a: secret }).toString()],
    ["as base64", (secret) => Buffer.from(secret).toString("base64")],
    ["as base64 for URLs", (secret) => Buffer.from(secret).toString("base64url")],
    ["in base64 with a user", (secret) => Buffer.from(`user:${secret}`).toString("base64")],
    ["in base64 further back", (secret) => Buffer.from(`a:${secret};`).toString("base64")],
    ["as hexadecimal", (secret) => Buffer.from(secret).toString("hex")],
    ["on an HTML page", (secret) => escapeHtml(secret)],
    ["in a DSN", (secret) => `postgres://app:${encodeURIComponent(secret)}@db:5432/auth`],
    ["in a DSN, not encoded", (secret) => `postgres://app:${secret}@db:5432/auth`],
  ];
  for (const [name, secret] of Object.entries(secrets)) {
    test.each(disguises)(`${name} is taken out %s`, (_how, disguise) => {
      const text = disguise(secret);
      const kept = own(text);
      expect(kept).toContain("[redacted]");
      expect(kept).not.toContain(secret);
      // Nothing of it is left in the disguise either.
      expect(kept.length).toBeLessThan(text.length + "[redacted]".length);
      expect(kept).not.toContain(disguise(secret));
    });
  }

  test("is taken out of numbers and of members of JSON", () => {
    const value = { pin: 493817, count: 12, DB_PASS: "short", list: ["Tr0ub4dor"] };
    const clean = redactJson(value, own);
    expect(clean).toEqual({
      pin: "[redacted]",
      count: 12,
      DB_PASS: "[redacted]",
      list: ["[redacted]"],
    });
  });
});

test("what a DSN is made of is taken out by itself", () => {
  const own = createRedact([
    {
      DSN: "postgres://app:p%2Fss-word@db.example:5432/auth",
      LIBPQ: "host=db user=app password='it is \\'secret\\'' sslmode=require",
      ADO: "Server=db;User Id=app;Password=sw0rdf1sh;",
    },
  ]);
  for (const part of ["p%2Fss-word", "p/ss-word", "it is 'secret'", "sw0rdf1sh"]) {
    expect(own(`x ${part} y`)).toBe("x [redacted] y");
  }
});

test("a page does not go blank: short values and words of ours stay", () => {
  const own = createRedact([
    { A: "1", B: "on", FLAG: "true", MODE: "fail-closed", STAGE: "gateway", X: "abc", Y: "deal" },
  ]);
  const text = "1 on true fail-closed gateway abc ideal dealer";
  expect(own(text)).toBe(text);
  expect(own("a deal is")).toBe("a [redacted] is");
});

test.each([
  ["GATEWAY_PORT", "8001", true],
  ["SOMEBODYS_PORT", "8001", true],
  ["GATEWAY_PORT", "tcp://10.0.0.1:80", false],
  ["LIMITER_TIMEOUT_MS", "1900", true],
  ["AUTH_URL", "http://auth.internal:4001", true],
  ["AUTH_URL", "http://auth:hidden1@auth.internal:4001", false],
  ["REALTIME_LIMITER_FAILURE_MODE", "fail-open", true],
  ["DATABASE_URL", "postgres://db.internal/auth", false],
  ["DB_PASS", "493817", false],
  ["INIT_CWD", "/srv/rollout", true],
  ["npm_config__authToken", "npm-0123456789", false],
])("%s=%s is shown: %s", (name, value, isShown) => {
  const own = createRedact([{ [name]: value }]);
  expect(own(`<${value}>`)).toBe(isShown ? `<${value}>` : "<[redacted]>");
});

test("long texts without a secret take no time", () => {
  const started = performance.now();
  for (const unit of ["x", "a.", "-", "http://a:b", "A_", '\\"']) {
    redact(unit.repeat(24_576 / unit.length));
  }
  expect(performance.now() - started).toBeLessThan(5_000);
});

function lowerCase(text: string): string {
  return text.replace(/%[0-9A-F]{2}/g, (one) => one.toLowerCase());
}

function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
