import { create, toBinary } from "@bufbuild/protobuf";
import * as auth from "../../../gen/portcullis/auth/v1/auth_pb.ts";
import { DEMO_ACCOUNT, TOKENS } from "../../fixtures/services.ts";
import { type Recorder, type Step, textAt } from "./recorder.ts";

const ORIGIN = "https://app.portcullis.test";
const PROTO = { "content-type": "application/proto" };

function login(body: unknown, step: Partial<Step> = {}): Step {
  return { door: "auth", path: "/portcullis.auth.v1.AuthService/Login", body, ...step };
}

function session(method: "Refresh" | "Logout", refreshToken: string): Step {
  const path = `/portcullis.auth.v1.AuthService/${method}`;
  return { door: "auth", path, body: { refreshToken } };
}

function datasource(method: string, body: unknown, step: Partial<Step> = {}): Step {
  return { door: "auth", path: `/portcullis.auth.v1.DatasourceService/${method}`, body, ...step };
}

/** Records sign-in and login sessions, with valid and invalid requests. */
export async function recordLogin({ send }: Recorder): Promise<void> {
  const ok = await send("Login", login(DEMO_ACCOUNT));
  await send("Login on a device", login({ ...DEMO_ACCOUNT, deviceToken: "" }));
  const message = create(auth.LoginRequestSchema, DEMO_ACCOUNT);
  const binary = toBinary(auth.LoginRequestSchema, message);
  await send("Login in binary", {
    ...login(binary, { headers: PROTO }),
    answers: auth.LoginResponseSchema,
  });
  const next = await send("Refresh", session("Refresh", textAt(ok, "refreshToken")));
  await send("Refresh with nothing", session("Refresh", ""));
  await send("Refresh with noise", session("Refresh", "noise"));
  await send("Logout", session("Logout", textAt(next, "refreshToken")));
  await send("Refresh after Logout", session("Refresh", textAt(next, "refreshToken")));
  await send("Logout again", session("Logout", textAt(next, "refreshToken")));
  await send("Logout with noise", session("Logout", "noise"));

  const { email, password } = DEMO_ACCOUNT;
  await send("Login without an address", login({ password }));
  await send("Login with too long an address", login({ email: "x".repeat(255), password }));
  await send("Login without a password", login({ email }));
  await send("Login with too long a password", login({ email, password: "x".repeat(1_025) }));
  await send("Login with an unknown field", login({ email, password, unknown: 1 }));
  await send("Login with a number", login({ email: 1, password }));
  await send("Login with half a body", login('{"email":'));
  await send("Login with a list", login("[]"));
  await send("Login with a wrong password in binary", {
    ...login(
      toBinary(
        auth.LoginRequestSchema,
        create(auth.LoginRequestSchema, { email, password: "wrong" }),
      ),
      { headers: PROTO, from: "203.0.113.2" },
    ),
  });
  await send("Login with noise in binary", login(Uint8Array.from([255, 1]), { headers: PROTO }));

  const guess = login({ email: "nobody@portcullis.test", password: "wrong" });
  for (let count = 0; count < 5; count++) {
    await send(`Login: guess ${count}`, { ...guess, from: "203.0.113.3" });
  }
  await send("Login: a guess too many", { ...guess, from: "203.0.113.3" });
}

/** Records datasources: minting and revoking tokens, and who may do what. */
export async function recordDatasources({ send }: Recorder): Promise<void> {
  const token = textAt(await send("Login", login(DEMO_ACCOUNT)), "accessToken");
  const operator = { door: "authAdmin", token: TOKENS.operator } as const;

  await send("MintToken, public", datasource("MintToken", { datasource: "demo" }));
  const body = { datasource: "demo-private" };
  const minted = await send("MintToken, private", datasource("MintToken", body, { token }));
  const message = create(auth.MintTokenRequestSchema, body);
  const binary = toBinary(auth.MintTokenRequestSchema, message);
  await send("MintToken in binary", {
    ...datasource("MintToken", binary, { token, headers: PROTO }),
    answers: auth.MintTokenResponseSchema,
  });
  await send("MintToken, private, for nobody", datasource("MintToken", body));
  await send("MintToken with a token of noise", datasource("MintToken", body, { token: "noise" }));
  await send(
    "MintToken as the operator",
    datasource("MintToken", body, { token: TOKENS.operator }),
  );
  await send("MintToken, unknown", datasource("MintToken", { datasource: "unknown" }, { token }));
  await send("MintToken, no name", datasource("MintToken", { datasource: "No Name" }, { token }));
  await send("MintToken, empty", datasource("MintToken", {}));

  const drained = "203.0.113.4";
  await send("Spend all mints of an address", {
    door: "limiter",
    path: "/portcullis.limiter.v1.LimiterService/Consume",
    token: TOKENS.auth,
    body: { buckets: [{ policy: "mint.public.ip", key: drained, cost: 60 }] },
  });
  await send(
    "MintToken over the limit",
    datasource("MintToken", { datasource: "demo" }, { from: drained }),
  );

  const names = ["demo", "demo-private", "unknown", "No Name"];
  await send("MintTokens", datasource("MintTokens", { datasources: names }, { token }));
  await send("MintTokens for nobody", datasource("MintTokens", { datasources: names }));
  await send("MintTokens of none", datasource("MintTokens", { datasources: [] }));
  const many = Array.from({ length: 65 }, (_, index) => `d-${index}`);
  await send("MintTokens of too many", datasource("MintTokens", { datasources: many }));

  const ended = textAt(minted, "token");
  await send("RevokeToken", datasource("RevokeToken", { token: ended }, { token }));
  await send("RevokeToken again", datasource("RevokeToken", { token: ended }, { token }));
  await send("RevokeToken for nobody", datasource("RevokeToken", { token: ended }));
  await send("RevokeToken of nothing", datasource("RevokeToken", {}, { token }));
  await send("RevokeToken of noise", datasource("RevokeToken", { token: "noise" }, { token }));
  await send("RevokeToken by noise", datasource("RevokeToken", { jti: "noise" }, { token }));
  const unknown = { jti: "00000000-0000-4000-8000-000000000000" };
  await send("RevokeToken by an unknown id", datasource("RevokeToken", unknown, { token }));

  const put = { datasource: "journey", visibility: "VISIBILITY_PUBLIC" };
  await send("Put", datasource("Put", put, operator));
  const change = { ...put, visibility: "VISIBILITY_PRIVATE", revokeTokens: true };
  await send("Put a change", datasource("Put", change, operator));
  const noName = { ...put, datasource: "No Name" };
  await send("Put no name", datasource("Put", noName, operator));
  await send("Put without visibility", datasource("Put", { datasource: "journey" }, operator));
  await send("Put as a user", datasource("Put", put, { door: "authAdmin", token }));
  await send(
    "Put as the gateway",
    datasource("Put", put, { door: "authAdmin", token: TOKENS.gateway }),
  );
  await send("Put at the public door", datasource("Put", put, { token: TOKENS.operator }));
  const putMessage = create(auth.PutRequestSchema, {
    datasource: "journey",
    visibility: auth.Visibility.PUBLIC,
  });
  await send("Put in binary", {
    ...datasource("Put", toBinary(auth.PutRequestSchema, putMessage), operator),
    headers: PROTO,
    answers: auth.PutResponseSchema,
  });
}

/** Records the door: methods, content types, sizes, origins, plain routes. */
export async function recordAuthDoor({ send }: Recorder): Promise<void> {
  const get = { door: "auth", method: "GET" } as const;
  await send("Keys", { ...get, path: "/.well-known/jwks.json" });
  await send("Health", { ...get, path: "/healthz" });
  await send("Health of operators", { ...get, door: "authAdmin", path: "/healthz" });
  await send("Readiness", { ...get, path: "/readyz" });
  await send("No such route", { ...get, path: "/nothing" });
  await send("No such RPC", {
    door: "auth",
    path: "/portcullis.auth.v1.AuthService/Nothing",
    body: {},
  });
  await send("Login with GET", login(undefined, { method: "GET" }));
  await send("Login with PUT", login(DEMO_ACCOUNT, { method: "PUT" }));
  await send("Login as text", login("{}", { headers: { "content-type": "text/plain" } }));
  await send("Login as gRPC", login("", { headers: { "content-type": "application/grpc" } }));
  await send("Login too large", login({ email: "x".repeat(20_000), password: "x" }));
  await send("Login compressed unknown", login("{}", { headers: { "content-encoding": "zstd" } }));
  const lines = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`x-${index}`, "1"]));
  await send("Too many header lines", { ...get, path: "/healthz", headers: lines });

  const asked = {
    origin: ORIGIN,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,connect-protocol-version",
  };
  const preflight = { method: "OPTIONS", headers: asked };
  await send("Preflight", login(undefined, preflight));
  const foreign = { ...asked, origin: "https://evil.test" };
  await send("Preflight of another page", login(undefined, { ...preflight, headers: foreign }));
  await send("Login of a page", login({}, { headers: { origin: ORIGIN } }));
  await send("Login of another page", login({}, { headers: { origin: "https://evil.test" } }));
}
