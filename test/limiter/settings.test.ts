import { mkdtemp, rm } from "node:fs/promises";
import { afterEach, describe, expect, test } from "vitest";
import { findFreePort } from "../../tools/up/free-port.ts";
import { createTestDatabase, runSql, startPostgres } from "../fixtures/postgres.ts";
import { runServiceToExit } from "../fixtures/service-process.ts";
import { type LimiterProcess, startLimiter } from "./limiter-process.ts";
import { findPooler, INSTALL_POOLER, startPooler } from "./pooler.ts";

const POLICIES = { any: { key: "text", algorithm: "token_bucket", limit: 10, period: "1d" } };
const CONSUME = { buckets: [{ policy: "any", key: "a" }] };
/** What the sessions of a limiter with the default time for a decision have. */
const NEEDED = {
  lock_timeout: "80ms",
  statement_timeout: "200ms",
  idle_in_transaction_session_timeout: "200ms",
  idle_session_timeout: "0",
  synchronous_commit: "on",
  default_transaction_isolation: "read committed",
};

const stops: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

test("settings are in force whatever the URL, the role and the database say", async () => {
  const databaseUrl = await createTestDatabase("settings");
  const database = new URL(databaseUrl).pathname.slice(1);
  const words = new Map([
    ["synchronous_commit", "off"],
    ["default_transaction_isolation", "serializable"],
  ]);
  const others = Object.keys(NEEDED).map((name) => [name, words.get(name) ?? "12345"]);
  for (const [name, value] of others) {
    await runSql(databaseUrl, `alter database "${database}" set ${name} = '${value}'`);
  }
  const url = new URL(databaseUrl);
  const options = others.map(([name, value]) => `-c ${name}=${value}`).join(" ");
  url.searchParams.set("options", `${options} -c search_path=public`);
  url.searchParams.set("statement_timeout", "60000");
  url.searchParams.set("query_timeout", "0");
  const limiter = await start(url.href);
  await probeSettings(databaseUrl);
  for (let i = 0; i < 20; i++) {
    const buckets = [{ policy: "any", key: `key-${i}` }];
    expect((await limiter.rpc("Consume", { buckets })).status).toBe(200);
  }
  const seen = await runSql<{ settings: Record<string, string> }>(
    databaseUrl,
    "select distinct s.settings from limiter.seen_settings s",
  );
  expect(seen).toEqual([{ settings: NEEDED }]);
  expect((await limiter.rpc("GetInfo", {})).body["durability"]).toBe("DURABILITY_SYNCHRONOUS");
});

test("GetInfo says asynchronous where the server does not wait for its disk", async () => {
  const postgres = await startPostgres(["fsync=off"]);
  stops.push(postgres.stop);
  const limiter = await start(postgres.url);
  expect((await limiter.rpc("GetInfo", {})).body["durability"]).toBe("DURABILITY_ASYNCHRONOUS");
});

test("a socket and a password with special characters are taken as pg takes them", async () => {
  const folder = await mkdtemp("/tmp/pc-");
  const postgres = await startPostgres([`unix_socket_directories=${"/tmp"}`]);
  stops.push(postgres.stop, async () => await rm(folder, { recursive: true }));
  const password = "p@ss:w/or?d#%&+ ü";
  await runSql(postgres.url, `create role "odd one" login superuser password '${password}'`);
  const { port } = new URL(postgres.url);
  const user = `${encodeURIComponent("odd one")}:${encodeURIComponent(password)}`;
  for (const url of [
    `postgres://${user}@127.0.0.1:${port}/postgres`,
    `postgres://${user}@/postgres?host=/tmp&port=${port}`,
    `postgresql://${user}@%2Ftmp:${port}/postgres?sslmode=disable`,
  ]) {
    const limiter = await start(url);
    expect((await limiter.rpc("Consume", CONSUME)).status, url).toBe(200);
    await limiter.stop();
  }
});

const POOLER = await findPooler();
const TITLE = POOLER === undefined ? ` (skipped: ${INSTALL_POOLER})` : "";

describe.skipIf(POOLER === undefined)(`behind PgBouncer${TITLE}`, () => {
  test("session mode works, with its defaults", async () => {
    const { url } = await pooler(["pool_mode = session"]);
    const limiter = await start(url);
    expect((await limiter.rpc("Consume", CONSUME)).status).toBe(200);
    expect((await limiter.rpc("GetInfo", {})).body["durability"]).toBe("DURABILITY_SYNCHRONOUS");
  });

  test.each([[[]], [["ignore_startup_parameters = extra_float_digits,options"]]])(
    "transaction mode is refused, and said why: %s",
    async (settings) => {
      const { url } = await pooler(["pool_mode = transaction", ...settings]);
      const exit = await runServiceToExit("limiter", {
        NODE_ENV: "test",
        DATABASE_URL: url,
        LIMITER_PORT: String(await findFreePort()),
        LIMITER_METRICS_PORT: String(await findFreePort()),
      });
      expect(exit.code).toBe(1);
      expect(exit.output).toContain("pooler");
      expect(exit.output).toContain("session mode");
      expect(exit.output).toContain("deploy/README.md");
    },
  );

  async function pooler(settings: readonly string[]) {
    const started = await startPooler(await createTestDatabase("pooled"), settings);
    stops.push(started.stop);
    return started;
  }
});

async function start(databaseUrl: string): Promise<LimiterProcess> {
  const limiter = await startLimiter({ databaseUrl, policies: POLICIES });
  stops.push(limiter.stop);
  return limiter;
}

/** Has every session that writes a bucket say what is in force there. */
async function probeSettings(databaseUrl: string): Promise<void> {
  const names = Object.keys(NEEDED).map((name) => `'${name}', current_setting('${name}')`);
  await runSql(
    databaseUrl,
    `create table limiter.seen_settings (settings jsonb);
     create function limiter.see_settings() returns trigger language plpgsql as $$
     begin
       insert into limiter.seen_settings select jsonb_build_object(${names.join(", ")});
       return new;
     end $$;
     create trigger see_settings before update on limiter.buckets
       for each row execute function limiter.see_settings()`,
  );
}
