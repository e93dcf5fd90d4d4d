import { afterAll, beforeAll, expect, test } from "vitest";
import { derive } from "../../services/runtime/client-ip.ts";
import { type ServiceProcess, startServiceProcess } from "../fixtures/service-process.ts";
import { findAddresses, TOKENS } from "../fixtures/services.ts";
import vectors from "../vectors/client-ip.json" with { type: "json" };
import { sendRaw, upgradeRaw } from "./raw-request.ts";
import { startRecordingLimiter } from "./recording-limiter.ts";

const LOOPBACK = "127.0.0.1";
/** uWebSockets takes up to 98 header lines, of which a handshake has some of its own. */
const HEADER_LINES_MAX = 90;
/** What a test can send: few enough lines, of nothing but printable ASCII and tabs. */
const SENDABLE = vectors.filter(
  ({ xff }) => xff.length < HEADER_LINES_MAX && xff.every((line) => /^[\t\x20-\x7e]*$/.test(line)),
);
const HOPS = [...new Set(SENDABLE.map(({ hops }) => hops))].sort();

let limiter: Awaited<ReturnType<typeof startRecordingLimiter>>;
const gateways = new Map<number, { url: string; rpcUrl: string; process: ServiceProcess }>();

beforeAll(async () => {
  limiter = await startRecordingLimiter();
  for (const hops of HOPS) {
    const { urls, environment } = await findAddresses();
    const process = await startServiceProcess({
      name: "gateway",
      url: urls.gatewayRpc,
      environment: {
        ...environment,
        NODE_ENV: "test",
        LIMITER_URL: limiter.url,
        REALTIME_TRUST_PROXY_HOPS: String(hops),
      },
    });
    gateways.set(hops, { url: urls.gateway, rpcUrl: urls.gatewayRpc, process });
  }
});
afterAll(async () => {
  for (const { process } of gateways.values()) await process.stop();
  await limiter.stop();
});

test("the upgrade consumes for the address that the rule derives from the same bytes", async () => {
  expect(SENDABLE.length).toBeGreaterThan(100);
  for (const { id, xff, hops } of SENDABLE) {
    const { ip, warning } = derive(LOOPBACK, xff, hops);
    const { status } = await upgradeRaw(urlOf(hops), forwardedLines(xff));
    expect(status, id).toBe(101);
    const expected = { key: ip, doubtful: warning !== undefined };
    expect(limiter.asked.slice(-2), id).toMatchObject([
      { policy: "realtime.connect.ip", ...expected },
      { policy: "realtime.connections.ip", ...expected },
    ]);
  }
  expect(limiter.asked).toHaveLength(2 * SENDABLE.length);
});

test("WhoIsCalling at the RPC port derives the same address, warning and entries", async () => {
  for (const { id, xff, hops } of SENDABLE) {
    const { ip, warning = "", entries } = derive(LOOPBACK, xff, hops);
    const answer = await sendRaw(
      gateways.get(hops)?.rpcUrl ?? "",
      "POST /portcullis.identity.v1.IdentityService/WhoIsCalling HTTP/1.1",
      [
        ...forwardedLines(xff),
        `Authorization: Bearer ${TOKENS.operator}`,
        "Content-Type: application/json",
        "Content-Length: 2",
      ],
      "{}",
    );
    expect(JSON.parse(answer.text), id).toMatchObject({ address: ip, warning, entries, hops });
  }
});

test("header lines count whatever their case, and look-alikes do not", async () => {
  const lines = ["x-FORWARDED-for: 198.51.100.1", "X-Forwarded-For: 203.0.113.7"];
  const others = [
    "Forwarded: for=1.1.1.1",
    "X-Real-IP: 1.1.1.1",
    "X-Forwarded: 1.1.1.1",
    "X_Forwarded_For: 1.1.1.1",
  ];
  await upgradeRaw(urlOf(2), [...others, ...lines]);
  expect(limiter.asked.at(-1)?.key).toBe("198.51.100.1");
  await upgradeRaw(urlOf(1), [...lines, ...others]);
  expect(limiter.asked.at(-1)?.key).toBe("203.0.113.7");
});

test("a request that the server cannot read is never taken for a connection", async () => {
  const asked = limiter.asked.length;
  const unreadable = [
    new Array(100).fill("X-Forwarded-For: 203.0.113.7"),
    ["X-Forwarded-For : 203.0.113.7"],
  ];
  const answers = await Promise.allSettled(unreadable.map((lines) => upgradeRaw(urlOf(1), lines)));
  expect(answers.filter(isUpgraded)).toEqual([]);
  expect(limiter.asked.length).toBe(asked);
});

function isUpgraded(answer: PromiseSettledResult<{ status: number }>): boolean {
  return answer.status === "fulfilled" && answer.value.status === 101;
}

function urlOf(hops: number): string {
  return gateways.get(hops)?.url ?? "";
}

function forwardedLines(xff: readonly string[]): string[] {
  return xff.map((line) => `X-Forwarded-For: ${line}`);
}
