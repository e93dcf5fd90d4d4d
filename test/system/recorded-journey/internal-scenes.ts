import { DEMO_ACCOUNT, TOKENS } from "../../fixtures/services.ts";
import { type Recorder, type Step, textAt } from "./recorder.ts";

function internal(route: string, body: unknown, step: Partial<Step> = {}): Step {
  const path = `/internal/gateway/${route}`;
  return { door: "auth", path, token: TOKENS.gateway, body, ...step };
}

/** Mints a datasource token of the demo account; returns the account's access token, too. */
async function mint({ send }: Recorder): Promise<{ accessToken: string; token: string }> {
  const rpc = (method: string) =>
    ({ door: "auth", path: `/portcullis.auth.v1.${method}` }) as const;
  const login = await send("Login", { ...rpc("AuthService/Login"), body: DEMO_ACCOUNT });
  const accessToken = textAt(login, "accessToken");
  const minted = await send("MintToken", {
    ...rpc("DatasourceService/MintToken"),
    token: accessToken,
    body: { datasource: "demo-private" },
  });
  return { accessToken, token: textAt(minted, "token") };
}

/** Records the three routes that only the gateway may call. */
export async function recordInternalRoutes(recorder: Recorder): Promise<void> {
  await recordIntrospection(recorder);
  await recordRevocations(recorder);
  await recordConsume(recorder);
}

async function recordIntrospection(recorder: Recorder): Promise<void> {
  const { send } = recorder;
  const route = "datasource-introspect";
  const { accessToken, token } = await mint(recorder);
  await send("Introspect a token", internal(route, { sessionToken: token }));
  await send("Introspect noise", internal(route, { sessionToken: "noise" }));
  await send("Introspect an access token", internal(route, { sessionToken: accessToken }));
  await send("Introspect both", internal(route, { sessionToken: token, datasource: "demo" }));
  await send("Introspect a public one", internal(route, { datasource: "demo" }));
  await send("Introspect a private one", internal(route, { datasource: "demo-private" }));
  await send("Introspect an unknown one", internal(route, { datasource: "unknown" }));
  await send("Introspect no name", internal(route, { datasource: "No Name" }));
  const datasources = ["demo", "demo-private", "unknown", "No Name", ""];
  await send("Introspect several", internal(route, { datasources }));
  await send("Introspect to publish", internal(route, { datasources, intent: "publish" }));
  await send("Introspect none", internal(route, { datasources: [] }));
  const many = Array.from({ length: 101 }, (_, index) => `d-${index}`);
  await send("Introspect too many", internal(route, { datasources: many }));
  const bodies = [
    {},
    { sessionToken: "" },
    { sessionToken: 7 },
    { sessionToken: null },
    { datasource: 7 },
    { datasource: null },
    { datasources: [7] },
    { datasources: "demo" },
    { datasources, intent: "dance" },
    { datasource: "demo", unknown: 1 },
    "",
    "{",
    "[]",
    "null",
    '"text"',
  ];
  for (const body of bodies) {
    await send(`Introspect ${JSON.stringify(body)}`, internal(route, body));
  }
  await send("Introspect too large", internal(route, { sessionToken: "x".repeat(70_000) }));
  await send("Introspect as text", {
    ...internal(route, { sessionToken: "noise" }),
    headers: { "content-type": "text/plain" },
  });
  for (const caller of [undefined, "noise", TOKENS.operator, TOKENS.auth]) {
    await send("Introspect as a stranger", internal(route, {}, { token: caller }));
  }
  await send("Introspect with GET", internal(route, undefined, { method: "GET" }));
}

async function recordRevocations(recorder: Recorder): Promise<void> {
  const { send } = recorder;
  const route = "revoked-tokens";
  const { accessToken, token } = await mint(recorder);
  const before = await send("Revocations so far", internal(route, { sinceCursor: null }));
  const revoked = await send("RevokeToken", {
    door: "auth",
    path: "/portcullis.auth.v1.DatasourceService/RevokeToken",
    token: accessToken,
    body: { token },
  });
  if (revoked === undefined) throw new Error("the token was not revoked");
  const sinceCursor = textAt(before, "nextCursor");
  const page = await send("Revocations since", internal(route, { sinceCursor, limit: 100 }));
  const next = { sinceCursor: textAt(page, "nextCursor"), limit: 1 };
  await send("No revocations since", internal(route, next));
  await send("Revocations since noise", internal(route, { sinceCursor: "noise" }));
  await send("Introspect what was revoked", {
    ...internal("datasource-introspect", { sessionToken: token }),
  });
  const bodies = [
    { sinceCursor: 7 },
    { limit: 0 },
    { limit: 1_001 },
    { limit: "10" },
    { limit: 1.5 },
    { limit: null },
    "{",
    "[]",
  ];
  for (const body of bodies)
    await send(`Revocations ${JSON.stringify(body)}`, internal(route, body));
  await send("Revocations as a stranger", internal(route, {}, { token: TOKENS.publisher }));
}

async function recordConsume({ send }: Recorder): Promise<void> {
  const route = "rate-limit/consume";
  const key = "198.51.100.1";
  const bucket = { policy: "realtime.connect.ip", key };
  await send("Consume", internal(route, { ...bucket, cost: 1 }));
  await send("Consume without a cost", internal(route, bucket));
  await send("Consume the rest", internal(route, { ...bucket, cost: 58 }));
  await send("Consume too much", internal(route, { ...bucket, cost: 30 }));
  await send("Consume for a doubtful one", internal(route, { ...bucket, doubtful: true }));
  const bodies = [
    {},
    { policy: bucket.policy },
    { key },
    { ...bucket, key: "x".repeat(513) },
    { ...bucket, key: "noise" },
    { ...bucket, key: "203.0.113.9/24" },
    { ...bucket, key: 7 },
    { ...bucket, cost: 0 },
    { ...bucket, cost: -1 },
    { ...bucket, cost: 1.5 },
    { ...bucket, cost: "1" },
    { ...bucket, cost: null },
    { ...bucket, cost: 100_000 },
    { ...bucket, doubtful: "no" },
    { ...bucket, unknown: 1 },
    { ...bucket, policy: "realtime.connections.ip" },
    { ...bucket, policy: "realtime.unknown" },
    { ...bucket, policy: "realtime.Un known" },
    { ...bucket, policy: "login.ip" },
    { ...bucket, policy: 7 },
    "{",
  ];
  for (const body of bodies) await send(`Consume ${JSON.stringify(body)}`, internal(route, body));
  await send("Consume as a stranger", internal(route, bucket, { token: TOKENS.operator }));
}
