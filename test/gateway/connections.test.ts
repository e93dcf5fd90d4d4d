import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { eventually } from "../fixtures/eventually.ts";
import {
  connect,
  type RealtimeConnection,
  refusedUpgrade,
  tryConnect,
} from "../fixtures/realtime-connection.ts";
import { startServiceProcess } from "../fixtures/service-process.ts";
import { findAddresses, type System } from "../fixtures/services.ts";
import { freshAddress, startGatewaySystem } from "./gateway-system.ts";

/** The limit of `realtime.connections.ip`. */
const CONNECTIONS = 25;

let system: System;
beforeAll(async () => {
  system = await startGatewaySystem();
});
afterAll(async () => {
  await system.stop();
});

test("an address holds so many connections at once, and one that closes makes room", async () => {
  const headers = from(freshAddress());
  const open = await connectMany(system.urls.gateway, headers, CONNECTIONS);
  const { status, headers: answer } = await refusedUpgrade(system.urls.gateway, headers);
  expect(status).toBe(429);
  expect(answer["retry-after"]).toMatch(/^[1-9]\d*$/);

  open[0]?.close();
  await eventually(async () => await connectMany(system.urls.gateway, headers, 1));
  expect((await refusedUpgrade(system.urls.gateway, headers)).status).toBe(429);
  await connectMany(system.urls.gateway, from(freshAddress()), 1);
});

test("of many connects at the same moment no more than the cap are upgraded", async () => {
  const headers = from(freshAddress());
  const attempts = Array.from({ length: 40 }, () => tryConnect(system.urls.gateway, headers));
  const results = await Promise.all(attempts);
  const open = results.flatMap((result) => ("status" in result ? [] : [result]));
  onTestFinished(() => closeAll(open));
  const statuses = results.flatMap((result) => ("status" in result ? [result.status] : []));
  expect(open.length).toBe(CONNECTIONS);
  expect(new Set(statuses)).toEqual(new Set([429]));
});

test("the cap holds across gateways, and one that stops releases its places at once", async () => {
  const { url, gateway } = await startSecondGateway();
  const headers = from(freshAddress());
  await connectMany(url, headers, 15);
  await connectMany(system.urls.gateway, headers, CONNECTIONS - 15);
  expect((await refusedUpgrade(system.urls.gateway, headers)).status).toBe(429);
  expect((await refusedUpgrade(url, headers)).status).toBe(429);

  await gateway.kill("SIGTERM");
  await connectMany(system.urls.gateway, headers, 15);
  expect((await refusedUpgrade(system.urls.gateway, headers)).status).toBe(429);
});

function from(address: string) {
  return { "x-forwarded-for": address };
}

async function connectMany(url: string, headers: Readonly<Record<string, string>>, count: number) {
  const connections: RealtimeConnection[] = [];
  for (let index = 0; index < count; index++) connections.push(await connect(url, headers));
  onTestFinished(() => closeAll(connections));
  return connections;
}

function closeAll(connections: readonly RealtimeConnection[]): void {
  for (const connection of connections) connection.close();
}

async function startSecondGateway() {
  const { urls, environment } = await findAddresses();
  const gateway = await startServiceProcess({
    name: "gateway",
    url: urls.gatewayRpc,
    environment: {
      ...environment,
      NODE_ENV: "test",
      REALTIME_TRUST_PROXY_HOPS: "1",
      LIMITER_URL: system.urls.limiter,
      AUTH_URL: system.urls.auth,
    },
  });
  onTestFinished(async () => await gateway.stop());
  return { url: urls.gateway, gateway };
}
