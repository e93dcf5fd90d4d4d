import { afterAll, expect, test } from "vitest";
import { call, textOf } from "../fixtures/call.ts";
import { openSmokeTarget } from "./smoke-target.ts";

const target = await openSmokeTarget(process.env);
afterAll(async () => await target.stop());

const { account, datasources, gatewayToken, operatorToken, limiterUrl } = target;
const urlsOfServices = [target.authUrl, ...(limiterUrl === undefined ? [] : [limiterUrl])];

test.each(urlsOfServices)("%s is alive and ready", async (url) => {
  for (const path of ["healthz", "readyz"]) {
    const response = await fetch(`${url}/${path}`);
    expect(response.status, path).toBe(200);
  }
});

test("the account signs in and out, and a wrong password does neither", async () => {
  const session = await login(account.password);
  expect(session).toMatchObject({
    status: 200,
    body: { accessToken: expect.any(String), expiresAt: expect.any(String) },
  });
  expect(await login(`not ${account.password}`)).toMatchObject({ status: 401 });
  const refreshToken = textOf(session, "refreshToken");
  expect(await rpc("AuthService/Logout", { refreshToken })).toMatchObject({ status: 200 });
  expect(await rpc("AuthService/Refresh", { refreshToken })).toMatchObject({ status: 401 });
});

test("tokens are minted for whom they are for, and can be verified by everybody", async () => {
  expect(await mint(datasources.public)).toMatchObject({ status: 200 });
  expect(await mint(datasources.private)).toMatchObject({ status: 401 });
  const accessToken = textOf(await login(account.password), "accessToken");
  expect(await mint(datasources.private, accessToken)).toMatchObject({ status: 200 });
  const keys = await fetch(`${target.authUrl}/.well-known/jwks.json`);
  expect(await keys.json()).toMatchObject({ keys: [{ kty: "OKP", crv: "Ed25519" }] });
});

test("what is the gateway's alone is closed to everybody else", async () => {
  for (const token of [undefined, "wrong", textOf(await login(account.password), "accessToken")]) {
    for (const path of ["datasource-introspect", "revoked-tokens", "rate-limit/consume"]) {
      expect(await internal(path, {}, token), `${path} with ${token}`).toMatchObject({
        status: 401,
      });
    }
  }
});

test.runIf(gatewayToken)("the gateway's three endpoints answer it", async () => {
  const accessToken = textOf(await login(account.password), "accessToken");
  const sessionToken = textOf(await mint(datasources.private, accessToken), "token");
  const consume = { policy: "realtime.connect.ip", key: "192.0.2.1", cost: 1 };
  const requests = [
    { path: "datasource-introspect", body: { sessionToken }, answer: { active: true } },
    {
      path: "revoked-tokens",
      body: { sinceCursor: null, limit: 1 },
      answer: { cursorExpired: false },
    },
    { path: "rate-limit/consume", body: consume, answer: { allowed: true } },
  ];
  for (const { path, body, answer } of requests) {
    const answered = await internal(path, body, gatewayToken);
    expect(answered, path).toMatchObject({ status: 200, body: answer });
  }
});

test.runIf(limiterUrl && operatorToken)(
  "the limiter decides, and only for those it knows",
  async () => {
    const url = `${limiterUrl}/portcullis.limiter.v1.LimiterService/Consume`;
    const body = { buckets: [{ policy: "realtime.connect.ip", key: "192.0.2.2", cost: 1 }] };
    expect(await call(url, body, withToken(operatorToken))).toMatchObject({
      status: 200,
      body: { decision: { outcome: "OUTCOME_ALLOWED" } },
    });
    expect(await call(url, body)).toMatchObject({ status: 401 });
  },
);

async function rpc(method: string, body: unknown, token?: string) {
  return await call(`${target.authUrl}/portcullis.auth.v1.${method}`, body, withToken(token));
}

async function login(password: string) {
  return await rpc("AuthService/Login", { email: account.email, password });
}

async function mint(datasource: string, accessToken?: string) {
  return await rpc("DatasourceService/MintToken", { datasource }, accessToken);
}

async function internal(path: string, body: unknown, token: string | undefined) {
  return await call(`${target.authUrl}/internal/gateway/${path}`, body, withToken(token));
}

function withToken(token: string | undefined) {
  return token === undefined ? {} : { token };
}
