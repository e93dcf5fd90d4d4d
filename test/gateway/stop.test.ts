import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../fixtures/eventually.ts";
import { runServiceToExit, startServiceProcess } from "../fixtures/service-process.ts";
import { findAddresses, PATIENCE } from "../fixtures/services.ts";
import { upgradeRaw } from "./raw-request.ts";
import { connect } from "./realtime-client.ts";
import { startRecordingLimiter } from "./recording-limiter.ts";

test("SIGTERM says goodbye to everybody at different times to come back, and ends the process", async () => {
  const { gateway, url } = await startGateway();
  const clients = await Promise.all(Array.from({ length: 20 }, () => connect(url)));
  const startedAt = performance.now();
  const exit = await gateway.kill("SIGTERM");
  expect(exit).toMatchObject({ code: 0 });
  expect(performance.now() - startedAt).toBeLessThan(3_000);
  const waits = new Set<string | undefined>();
  for (const client of clients) {
    expect(await client.closed).toEqual({ code: 4000, reason: "shutdown" });
    const bye = client.frames.at(-1)?.bye;
    expect(bye).toMatchObject({ reason: "shutdown" });
    expect(Number.parseFloat(bye?.retryAfter ?? "")).toBeGreaterThanOrEqual(1);
    waits.add(bye?.retryAfter);
  }
  expect(waits.size).toBeGreaterThan(10);
  await expect(connect(url)).rejects.toThrow("ECONNREFUSED");
});

test("SIGTERM answers the upgrades that wait for a decision, and leaves no place taken", async () => {
  const { gateway, url, limiter } = await startGateway({ delayMs: 400 });
  const answer = upgradeRaw(url, []);
  await eventually(() => expect(limiter.asked).toHaveLength(2));
  const exit = await gateway.kill("SIGTERM");
  expect(await answer).toMatchObject({ status: 503 });
  expect((await answer).headers.get("retry-after")).toBe("1");
  const leaseId = limiter.asked.find((bucket) => bucket.leaseId !== "")?.leaseId;
  expect(limiter.released).toEqual([leaseId]);
  expect(exit).toMatchObject({ code: 0 });
});

test("a gateway whose port is taken says which variable to change", async () => {
  const { url, environment } = await startGateway();
  const exit = await runServiceToExit("gateway", { ...environment, GATEWAY_METRICS_PORT: "0" });
  expect(exit.code).toBe(1);
  expect(exit.output).toContain(`${new URL(url).port} (GATEWAY_PORT)`);
});

test("a gateway with a bad configuration names every problem and serves nothing", async () => {
  const exit = await runServiceToExit("gateway", {
    GATEWAY_PORT: "0",
    REALTIME_TRUST_PROXY_HOPS: "many",
    REALTIME_LIMITER_FAILURE_MODE: "fail-open",
    GATEWAY_SERVICE_TOKEN: "development-gateway-token",
  });
  expect(exit.code).toBe(1);
  const problems = [
    "BIND_HOST is required",
    "REALTIME_TRUST_PROXY_HOPS must be",
    "REALTIME_LIMITER_FAIL_OPEN_CHANGE is required",
    "REALTIME_LIMITER_FAIL_OPEN_UNTIL is required",
    "GATEWAY_SERVICE_TOKEN is a well-known value",
    "PUBLISHER_SERVICE_TOKEN is required",
    "OPERATOR_SERVICE_TOKEN is required",
  ];
  for (const problem of problems) expect(exit.errorOutput).toContain(problem);
});

/** A gateway alone, with a limiter that allows everything and no auth. */
async function startGateway(decisions: { delayMs?: number } = {}) {
  const limiter = await startRecordingLimiter(decisions);
  onTestFinished(limiter.stop);
  const addresses = await findAddresses();
  const environment = {
    ...addresses.environment,
    NODE_ENV: "test",
    LIMITER_URL: limiter.url,
    LIMITER_TIMEOUT_MS: PATIENCE.LIMITER_TIMEOUT_MS,
  };
  const url = addresses.urls.gateway;
  const healthUrl = addresses.urls.gatewayRpc;
  const gateway = await startServiceProcess({ name: "gateway", url: healthUrl, environment });
  onTestFinished(gateway.stop);
  return { gateway, url, environment, limiter };
}
