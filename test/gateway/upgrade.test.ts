import { afterAll, beforeAll, expect, test } from "vitest";
import { call } from "../fixtures/call.ts";
import { scrape } from "../fixtures/scrape.ts";
import { type System, TOKENS } from "../fixtures/services.ts";
import { freshAddress, startGatewaySystem } from "./gateway-system.ts";
import { HANDSHAKE_LINES, upgradeRaw } from "./raw-request.ts";
import { JSON_FRAMES, PROTO_FRAMES, tryConnect } from "./realtime-client.ts";

const ORIGIN = "https://app.example";
/** The limit of `realtime.connect.ip`, per minute. */
const CONNECTS = 60;
const CONNECTS_PER_SECOND = CONNECTS / 60;

let system: System;
beforeAll(async () => {
  system = await startGatewaySystem({ ALLOWED_ORIGINS: ORIGIN });
});
afterAll(async () => {
  await system.stop();
});

test("of 80 quick connects from one address, 60 and what refilled are upgraded", async () => {
  const address = freshAddress();
  const startedAt = performance.now();
  const results = [];
  for (let count = 0; count < 80; count++) results.push(await connectAndClose(address));
  const seconds = (performance.now() - startedAt) / 1_000;

  const upgraded = results.filter((result) => result.status === 101);
  expect(upgraded.length).toBeGreaterThanOrEqual(CONNECTS);
  expect(upgraded.length).toBeLessThanOrEqual(CONNECTS + Math.ceil(seconds * CONNECTS_PER_SECOND));
  const refused = results.filter((result) => result.status !== 101);
  expect(refused.length).toBeGreaterThan(0);
  for (const { status, retryAfter } of refused) {
    expect(status).toBe(429);
    expect(retryAfter).toMatch(/^[1-9]\d*$/);
  }
});

test("80 connects at the same moment are no more than 80 in a row", async () => {
  const address = freshAddress();
  const startedAt = performance.now();
  const results = await Promise.all(
    Array.from({ length: 80 }, () => upgradeRaw(system.urls.gateway, [forwarded(address)])),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  const upgraded = results.filter(({ status }) => status === 101).length;
  expect(upgraded).toBeGreaterThan(0);
  expect(upgraded).toBeLessThanOrEqual(CONNECTS + Math.ceil(seconds * CONNECTS_PER_SECOND));
});

test("two clients behind the proxy have separate limits, and a spoofed entry changes nothing", async () => {
  const drained = freshAddress();
  await drain(drained);
  expect((await connectAndClose(freshAddress())).status).toBe(101);

  const spoofs = [
    [forwarded(`8.8.8.8, ${drained}`)],
    [forwarded("8.8.8.8"), forwarded(drained)],
    ["x-forwarded-for: 8.8.8.8", `X-FORWARDED-FOR: ${drained}`],
    [forwarded(`garbage,,"${drained}", ${drained}`)],
    [forwarded(drained), "X-Real-IP: 8.8.8.8", "Forwarded: for=8.8.8.8"],
  ];
  for (const lines of spoofs) {
    const { status } = await upgradeRaw(system.urls.gateway, lines);
    expect(status, lines.join(" | ")).toBe(429);
  }
  const victim = freshAddress();
  await upgradeRaw(system.urls.gateway, [forwarded(`${victim}, ${freshAddress()}`)]);
  expect((await connectAndClose(victim)).status).toBe(101);
});

test("a client that strips the header cannot drain the limit of its honest neighbour", async () => {
  await drain("127.0.0.1", { doubtful: true });
  expect((await upgradeRaw(system.urls.gateway, [])).status).toBe(429);
  const { status } = await upgradeRaw(system.urls.gateway, [forwarded("127.0.0.1")]);
  expect(status).toBe(101);
});

test("a handshake that is not one is refused before any limit is charged", async () => {
  const [connection = "", upgrade = "", version = "", key = ""] = HANDSHAKE_LINES;
  const cases: [string, number, string[]][] = [
    ["no upgrade", 426, [connection, version, key]],
    ["no connection", 426, [upgrade, version, key]],
    ["another version", 426, [connection, upgrade, "Sec-WebSocket-Version: 8", key]],
    ["no version", 426, [connection, upgrade, key]],
    ["no key", 400, [connection, upgrade, version]],
    ["a short key", 400, [connection, upgrade, version, "Sec-WebSocket-Key: AAAA"]],
    ["a bad key", 400, [connection, upgrade, version, `Sec-WebSocket-Key: ${"!".repeat(24)}`]],
    ["two keys", 400, [...HANDSHAKE_LINES, key]],
    ["a strange origin", 403, [...HANDSHAKE_LINES, "Origin: https://evil.example"]],
    ["a strange subprotocol", 400, [...HANDSHAKE_LINES, "Sec-WebSocket-Protocol: chat"]],
  ];
  const address = freshAddress();
  for (const [what, expected, lines] of cases) {
    for (let count = 0; count < 10; count++) {
      const answer = await upgradeRaw(system.urls.gateway, [forwarded(address)], lines);
      expect(answer.status, what).toBe(expected);
      expect(answer.headers.get("sec-websocket-version"), what).toBe(
        expected === 426 ? "13" : undefined,
      );
    }
  }
  expect((await connectAndClose(address)).status).toBe(101);
});

test("an allowed origin and each subprotocol get through, and only what was offered is echoed", async () => {
  const upgradeWith = (...lines: string[]) =>
    upgradeRaw(system.urls.gateway, [forwarded(freshAddress()), ...lines]);
  expect((await upgradeWith(`Origin: ${ORIGIN}`)).status).toBe(101);
  const echoes = [];
  for (const lines of [[], [JSON_FRAMES], [PROTO_FRAMES], [`chat, ${PROTO_FRAMES}`]]) {
    const answer = await upgradeWith(...lines.map((line) => `Sec-WebSocket-Protocol: ${line}`));
    expect(answer.headers.get("sec-websocket-accept")).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    echoes.push(answer.headers.get("sec-websocket-protocol"));
  }
  expect(echoes).toEqual([undefined, JSON_FRAMES, PROTO_FRAMES, PROTO_FRAMES]);
});

test("upgrades are counted by result and status, and limits by outcome", async () => {
  const read = async () => {
    const { sum } = await scrape(system.metricsUrls.gateway);
    const outcomes = (outcome: string) =>
      sum("portcullis_limiter_outcomes_total", { policy: "realtime.connect.ip", outcome }) ?? -1;
    return [
      sum("portcullis_realtime_upgrades_total", { result: "accepted" }) ?? -1,
      sum("portcullis_realtime_upgrades_total", { result: "limited" }) ?? -1,
      sum("portcullis_realtime_rejected_total", { status: "429" }) ?? -1,
      outcomes("allow"),
      outcomes("reject"),
      outcomes("backend-error"),
    ];
  };
  const address = freshAddress();
  await drain(address);
  const before = await read();
  await upgradeRaw(system.urls.gateway, [forwarded(address)]);
  await connectAndClose(freshAddress());
  const after = await read();
  const changes = after.map((value, index) => value - (before[index] ?? Number.NaN));
  expect(changes).toEqual([1, 1, 1, 1, 1, 0]);
});

test("why tells a browser about its own refused upgrade, and no one else", async () => {
  const { gateway } = system.urls;
  const why = async (address: string, origin = ORIGIN) =>
    await fetch(`${gateway}/gateway/realtime/why`, {
      headers: { "x-forwarded-for": address, origin },
    });
  const address = freshAddress();
  expect(await (await why(address)).json()).toEqual({ code: "unknown" });
  await drain(address);
  expect((await upgradeRaw(gateway, [forwarded(address)])).status).toBe(429);
  const answer = await why(address);
  expect(await answer.json()).toEqual({
    status: 429,
    code: "rate_limited",
    retryAfterMs: expect.any(Number),
  });
  expect(answer.headers.get("access-control-allow-origin")).toBe(ORIGIN);
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(await (await why(freshAddress())).json()).toEqual({ code: "unknown" });
  expect((await why(address, "https://evil.example")).status).toBe(403);
  const spoofed = await why(`${address}, ${freshAddress()}`);
  expect(await spoofed.json()).toEqual({ code: "unknown" });
});

test("the answers hold no address, and every other path is not found", async () => {
  const { gateway } = system.urls;
  for (const path of ["/", "/gateway", "/gateway/realtime/", "/internal/gateway/revoked-tokens"]) {
    expect((await fetch(`${gateway}${path}`)).status, path).toBe(404);
  }
  const scrape = await (await fetch(system.metricsUrls.gateway)).text();
  expect(scrape).not.toMatch(/203\.0\.|127\.0\.0\.1/);
  expect(system.services.gateway.output().join("\n")).not.toContain("203.0.");
});

function forwarded(value: string): string {
  return `X-Forwarded-For: ${value}`;
}

/** Spends the whole limit of an address, with nothing refilled in between. */
async function drain(address: string, { doubtful = false } = {}): Promise<void> {
  const url = `${system.urls.limiter}/portcullis.limiter.v1.LimiterService/Consume`;
  const bucket = { policy: "realtime.connect.ip", key: address, cost: CONNECTS, doubtful };
  const answer = await call(url, { buckets: [bucket] }, { token: TOKENS.gateway });
  expect(answer.body).toMatchObject({ decision: { outcome: "OUTCOME_ALLOWED" } });
}

async function connectAndClose(address: string) {
  const result = await tryConnect(system.urls.gateway, { address });
  if (result.kind === "refused") return result;
  await result.client.close();
  return { status: 101, retryAfter: undefined };
}
