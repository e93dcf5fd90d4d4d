import { afterAll, beforeAll, expect, test } from "vitest";
import { runSql } from "../fixtures/postgres.ts";
import type { System } from "../fixtures/services.ts";
import { freshAddress, startGatewaySystem } from "./gateway-system.ts";
import { connect, type Frame } from "./realtime-client.ts";

/** As many as a session may hold. */
const PAGE = Array.from({ length: 50 }, (_, index) => `page-${index}`);

let system: System;
beforeAll(async () => {
  system = await startGatewaySystem();
  await runSql(
    system.databaseUrl,
    `insert into auth.datasources (name, visibility, created_at)
     select name, 'public', now() from unnest($1::text[]) as page (name)`,
    [PAGE],
  );
});
afterAll(async () => {
  await system.stop();
});

test("a full page is opened and reloaded twice, and three colleagues behind the same address do so too", async () => {
  const address = freshAddress();
  for (let load = 0; load < 3; load++) expect(await openPage(address)).toEqual([]);
  const colleagues = Array.from({ length: 3 }, async () => {
    const problems = [];
    for (let load = 0; load < 3; load++) problems.push(...(await openPage(address)));
    return problems;
  });
  expect((await Promise.all(colleagues)).flat()).toEqual([]);
});

test("a full page is opened with one frame, as often as with fifty", async () => {
  const address = freshAddress();
  for (let load = 0; load < 3; load++) {
    const client = await connect(system.urls.gateway, { address });
    const subscriptions = PAGE.map((datasource) => ({ datasource }));
    const { subscribed } = await client.ask({ subscribeAll: { subscriptions } });
    expect(subscribed?.results.filter(({ ack }) => ack !== undefined)).toHaveLength(PAGE.length);
    await client.close();
  }
});

/** Subscribes to everything at once, as a page does, and answers what went wrong. */
async function openPage(address: string): Promise<NonNullable<Frame["error"]>[]> {
  const client = await connect(system.urls.gateway, { address });
  const answers = await Promise.all(
    PAGE.map(async (datasource) => await client.ask({ subscribe: { datasource } })),
  );
  await client.close();
  return answers.flatMap(({ error }) => error ?? []);
}
