import { create, toBinary } from "@bufbuild/protobuf";
import * as dependency from "../../../gen/portcullis/realtime/v1/dependency_pb.ts";
import * as realtime from "../../../gen/portcullis/realtime/v1/realtime_pb.ts";
import { TOKENS } from "../../fixtures/services.ts";
import type { Recorder, Step } from "./recorder.ts";

const PROTO = { "content-type": "application/proto" };
const ORIGIN = { origin: "https://app.portcullis.test" };
const HANDSHAKE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

function publish(body: unknown, step: Partial<Step> = {}): Step {
  const path = "/portcullis.realtime.v1.PublishService/Publish";
  return { door: "gatewayRpc", path, token: TOKENS.publisher, body, ...step };
}

function plain(path: string, step: Partial<Step> = {}): Step {
  return { door: "gateway", path, method: "GET", ...step };
}

/** Records the RPCs of publishers and operators. */
export async function recordGatewayRpcs({ send }: Recorder): Promise<void> {
  await send("Publish", publish({ datasource: "demo", json: { price: 1, nested: [null, "ü"] } }));
  await send("Publish a text", publish({ datasource: "demo", jsonText: '{"price": 2}' }));
  await send("Publish as the operator", {
    ...publish({ datasource: "demo", json: 3 }, { token: TOKENS.operator }),
  });
  const message = create(realtime.PublishRequestSchema, { datasource: "demo", jsonText: "4" });
  await send("Publish in binary", {
    ...publish(toBinary(realtime.PublishRequestSchema, message), { headers: PROTO }),
    answers: realtime.PublishResponseSchema,
  });
  const bodies = [
    {},
    { datasource: "demo" },
    { datasource: "No Name", json: 1 },
    { datasource: "unknown", json: 1 },
    { datasource: "demo", jsonText: "{" },
    { datasource: "demo", json: 1, jsonText: "2" },
    { datasource: "demo", json: "x".repeat(65_537) },
    { datasource: "demo", json: 1, unknown: 1 },
    "{",
  ];
  for (const body of bodies) {
    await send(`Publish ${JSON.stringify(body).slice(0, 80)}`, publish(body));
  }
  await send("Publish too large", publish("x".repeat(600_000)));
  await send("Publish as nobody", publish({ datasource: "demo", json: 1 }, { token: undefined }));
  await send("Publish as the gateway", {
    ...publish({ datasource: "demo", json: 1 }, { token: TOKENS.gateway }),
  });
  const check = {
    door: "gatewayRpc",
    path: "/portcullis.realtime.v1.DependencyService/Check",
    token: TOKENS.operator,
    body: {},
  } as const;
  await send("Check", check);
  await send("Check as a publisher", { ...check, token: TOKENS.publisher });
  await send("Check in binary", {
    ...check,
    body: new Uint8Array(),
    headers: PROTO,
    answers: dependency.CheckResponseSchema,
  });
  await send("Health of operators", plain("/healthz", { door: "gatewayRpc" }));
  await send("Readiness", plain("/readyz", { door: "gatewayRpc" }));
  await send("Publish at the public door", {
    ...publish({ datasource: "demo", json: 1 }, { door: "gateway" }),
  });
}

/** Records the public door over HTTP: plain routes, and refused upgrades. */
export async function recordGatewayDoor({ send }: Recorder): Promise<void> {
  await send("Health", plain("/healthz"));
  await send("Health by another method", plain("/healthz", { method: "DELETE" }));
  await send("Health by OPTIONS", plain("/healthz", { method: "OPTIONS" }));
  await send("Readiness of strangers", plain("/readyz"));
  await send("No such route", plain("/nothing"));
  await send("An internal route", plain("/internal/gateway/revoked-tokens"));

  const realtimePath = "/gateway/realtime";
  const handshake = (headers: Readonly<Record<string, string>>, from = "203.0.113.20") =>
    plain(realtimePath, { headers, from });
  const { "sec-websocket-key": key, ...keyless } = HANDSHAKE;
  const refused: [string, Readonly<Record<string, string>>][] = [
    ["no handshake", {}],
    ["another version", { ...HANDSHAKE, "sec-websocket-version": "8" }],
    ["no key", keyless],
    ["a short key", { ...keyless, "sec-websocket-key": key.slice(0, 4) }],
    ["another page", { ...HANDSHAKE, origin: "https://evil.test" }],
    ["another subprotocol", { ...HANDSHAKE, "sec-websocket-protocol": "chat" }],
  ];
  for (const [what, headers] of refused) await send(`Upgrade: ${what}`, handshake(headers));
  await send("Upgrade by POST", plain(realtimePath, { method: "POST", headers: HANDSHAKE }));

  const full = "203.0.113.21";
  await send("Spend all upgrades", {
    door: "limiter",
    path: "/portcullis.limiter.v1.LimiterService/Consume",
    token: TOKENS.gateway,
    body: { buckets: [{ policy: "realtime.connect.ip", key: full, cost: 60 }] },
  });
  const why = (from: string, headers = ORIGIN) => plain(`${realtimePath}/why`, { from, headers });
  await send("Why, before", why(full));
  await send("Upgrade over the limit", handshake({ ...HANDSHAKE, ...ORIGIN }, full));
  await send("Why", why(full));
  await send("Why of another page", why(full, { origin: "https://evil.test" }));
  await send("Why by POST", { ...why(full), method: "POST" });
  await send("Why by OPTIONS", { ...why(full), method: "OPTIONS" });
}
