import pg from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { LimiterClient } from "../../clients/limiter/limiter-client.ts";
import { eventually } from "../fixtures/eventually.ts";
import { type OwnPostgres, runSql, startPostgres } from "../fixtures/postgres.ts";
import { type LimiterProcess, startLimiter } from "../limiter/limiter-process.ts";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";
import { createTestClient, POLICIES } from "./test-client.ts";

/** A deadline of 500 ms, and what a busy machine may add. */
const REFUSED_WITHIN_MS = 1_000;
const RECOVERED_WITHIN_MS = 5_000;

let postgres: OwnPostgres;
let limiter: LimiterProcess;

beforeAll(async () => {
  postgres = await startPostgres();
  limiter = await startLimiter({ databaseUrl: postgres.url, policies: POLICIES });
});

afterAll(async () => {
  await limiter.stop();
  await postgres.stop();
});

type Fault = { begin(proxy: TcpProxy): unknown; end(proxy: TcpProxy): unknown };

const FAULTS: Record<string, Fault> = {
  "a limiter that is stopped": {
    begin: () => process.kill(limiter.process.pid, "SIGSTOP"),
    end: () => process.kill(limiter.process.pid, "SIGCONT"),
  },
  "a limiter that is killed": {
    begin: () => limiter.process.kill("SIGKILL"),
    end: () => limiter.process.restart(),
  },
  "a database that is stopped": {
    begin: () => postgres.stopAll(),
    end: () => postgres.contAll(),
  },
  "a network that stalls": {
    begin: (proxy) => proxy.stall(),
    end: (proxy) => proxy.resume(),
  },
};

describe.each(Object.entries(FAULTS))("%s", (_name, fault) => {
  test("refuses in time, then at once without being asked, and works again by itself", async () => {
    const { client, proxy } = await setup();
    await decides(client);
    await fault.begin(proxy);
    try {
      await refuseAll(client, 40);
      await eventually(async () => {
        await refuseAll(client, 4);
        // The breaker is open: but for one probe a second, nothing is sent any more.
        const sentBytes = proxy.sentBytes();
        await refuseAll(client, 100);
        expect(proxy.sentBytes() - sentBytes).toBeLessThan(2_000);
      });
    } finally {
      await fault.end(proxy);
    }
    await eventually(() => decides(client), RECOVERED_WITHIN_MS);
  });
});

test("a row that is locked refuses its own key, and nobody else", async () => {
  const { client } = await setup();
  await runSql(postgres.url, "truncate limiter.buckets");
  await eventually(() => decides(client, "locked"));
  const holder = new pg.Client({ connectionString: postgres.url });
  await holder.connect();
  onTestFinished(() => holder.end());
  await holder.query("begin");
  await holder.query("select from limiter.buckets for update");
  for (let round = 0; round < 8; round++) {
    expect(await consume(client, "locked")).toMatchObject({ kind: "no-decision" });
  }
  await decides(client, "free");
  await holder.query("rollback");
  await eventually(() => decides(client, "locked"), RECOVERED_WITHIN_MS);
});

async function consume(client: LimiterClient, key: string) {
  return await client.consume([{ policy: "login.ip", key }]);
}

async function decides(client: LimiterClient, key = "somebody"): Promise<void> {
  expect(await consume(client, key)).toMatchObject({ kind: "allowed" });
}

/** Consumes of as many keys at once, all of which must be refused in time. */
async function refuseAll(client: LimiterClient, requests: number): Promise<void> {
  const startedAtMs = performance.now();
  const keys = Array.from({ length: requests }, (_, index) => `somebody ${index}`);
  const verdicts = await Promise.all(keys.map((key) => consume(client, key)));
  expect(verdicts.map(({ kind }) => kind)).toEqual(keys.map(() => "no-decision"));
  expect(performance.now() - startedAtMs).toBeLessThan(REFUSED_WITHIN_MS);
}

async function setup() {
  const proxy = await startTcpProxy(limiter.url);
  onTestFinished(proxy.stop);
  const client = await createTestClient(proxy.url);
  onTestFinished(() => client.close());
  return { client, proxy };
}
