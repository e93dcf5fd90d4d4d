import { createServer } from "node:net";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../fixtures/eventually.ts";
import { writePolicies } from "../fixtures/policies.ts";
import { connect } from "../fixtures/realtime-connection.ts";
import { login, mintToken, signIn } from "../fixtures/sign-in.ts";
import { makeUpFolder, startUp, type UpProcess } from "../fixtures/up-process.ts";

const READY = "portcullis is ready";
/** A restart, with its delay, on a busy machine. */
const RESTARTED_WITHIN_MS = 20_000;
/** Stopping in order takes a few seconds; stopping by force is quick. */
const FORCED_WITHIN_MS = 3_000;

describe("npm start", () => {
  let up: UpProcess;

  beforeAll(async () => {
    up = await startUp({ command: ["npm", "start"] });
    await up.waitForOutput(READY);
  });
  afterAll(async () => await up.dispose());

  test("each service logs that it serves, and there is a line to try for each", async () => {
    await up.waitForOutput("Ctrl-C stops everything");
    for (const service of ["auth", "limiter", "gateway"]) {
      expect(up.output()).toContain(`"msg":"${service} is serving"`);
    }
    expect(up.output()).toContain(`curl -s ${up.urls.auth}/portcullis.auth.v1.AuthService/Login`);
    expect(up.output()).toContain(`${up.urls.gateway.replace("http", "ws")}/gateway/realtime`);
    expect(up.output()).toContain(up.metricsUrls.auth);
  });

  test("the Postgres URL that it prints works as it is", async () => {
    const [url] = /postgres:\/\/\S+/.exec(up.output()) ?? [];
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    onTestFinished(async () => await client.end());
    const { rows } = await client.query("select count(*)::int as accounts from auth.accounts");
    expect(rows).toEqual([{ accounts: 1 }]);
  });

  test("the demo account receives live updates of both demo datasources", async () => {
    await expectLiveUpdates(up);
  });

  test("a killed gateway is reported and started again, while the others go on", async () => {
    process.kill(up.pidOf("gateway"), "SIGKILL");
    await up.waitForOutput("gateway was ended by SIGKILL");
    expect(await login(up.urls, "portcullis-demo")).toMatchObject({ status: 200 });
    await up.waitForOutput("gateway runs again", RESTARTED_WITHIN_MS);
    await expectLiveUpdates(up);
  });

  test("a killed Postgres is reported and started again; login is closed meanwhile", async () => {
    process.kill(up.postmasterPid(), "SIGKILL");
    await up.waitForOutput("postgres was ended by SIGKILL");
    expect(await login(up.urls, "portcullis-demo")).toMatchObject({ status: 503 });
    await up.waitForOutput("postgres runs again", RESTARTED_WITHIN_MS);
    await eventually(async () => {
      expect(await login(up.urls, "portcullis-demo")).toMatchObject({ status: 200 });
    });
  });

  test("another start in the same folder is refused and harms nothing", async () => {
    const postmaster = up.postmasterPid();
    const second = await startUp({ folder: up.folder });
    expect(await second.exited).toMatchObject({ code: 1 });
    expect(second.output()).toContain("is in use by process");
    expect(up.postmasterPid()).toBe(postmaster);
    expect(await login(up.urls, "portcullis-demo")).toMatchObject({ status: 200 });
  });

  test("Ctrl-C ends everything and leaves no process", async () => {
    up.signalGroup("SIGINT");
    await up.exited;
    expect(up.processes()).toEqual([]);
    await expect(fetch(up.urls.auth)).rejects.toThrow();
  });
});

test("SIGTERM to npm ends everything and leaves no process; the data is there the next time", async () => {
  const first = await setup({ command: ["npm", "start"] });
  await first.waitForOutput(READY);
  first.signal("SIGTERM");
  await first.exited;
  await eventually(() => expect(first.processes()).toEqual([]));

  const second = await setup({ folder: first.folder });
  await second.waitForOutput(READY);
  expect(second.output()).not.toContain("migration applied");
});

test.each([
  ["Postgres is being set up", ""],
  ["the limiter starts", '"service":"limiter"'],
  ["auth starts", '"service":"auth"'],
])("a signal while %s ends everything", async (_when, text) => {
  const up = await setup();
  await eventually(() => expect(up.processes().length).toBeGreaterThan(1));
  await up.waitForOutput(text);
  up.signal("SIGTERM");
  expect(await up.exited).toEqual({ code: 0, signal: null });
  expect(up.processes()).toEqual([]);
  expect(up.output()).not.toContain(READY);
});

test("a second Ctrl-C does not wait for a service that hangs", async () => {
  const up = await setup();
  await up.waitForOutput(READY);
  process.kill(up.pidOf("auth"), "SIGSTOP");
  up.signal("SIGINT");
  await up.waitForOutput("stopping");
  const askedAtMs = performance.now();
  await eventually(() => expect(performance.now() - askedAtMs).toBeGreaterThan(600));
  up.signal("SIGINT");
  await up.exited;
  expect(performance.now() - askedAtMs).toBeLessThan(FORCED_WITHIN_MS);
  expect(up.processes()).toEqual([]);
});

test("everything ends by itself when npm start is killed by force", async () => {
  const up = await setup();
  await up.waitForOutput(READY);
  up.signal("SIGKILL");
  await up.exited;
  await eventually(() => expect(up.processes()).toEqual([]), RESTARTED_WITHIN_MS);
});

test("busy ports are all named, with the variables that change them, and nothing starts", async () => {
  const busy = await listenAnywhere();
  const up = await setup({
    environment: { GATEWAY_PORT: busy, AUTH_METRICS_PORT: busy, POSTGRES_PORT: "0" },
  });
  expect(await up.exited).toMatchObject({ code: 1 });
  expect(up.output()).toContain(`port ${busy} is in use`);
  expect(up.output()).toContain("GATEWAY_PORT=");
  expect(up.output()).toContain("AUTH_METRICS_PORT");
  expect(up.output()).not.toContain('"service":');
});

test("a busy Postgres port is named with POSTGRES_PORT", async () => {
  const busy = await listenAnywhere();
  const up = await setup({ environment: { POSTGRES_PORT: busy } });
  expect(await up.exited).toMatchObject({ code: 1 });
  expect(up.output()).toContain(`port ${busy} is in use`);
  expect(up.output()).toContain("POSTGRES_PORT=");
});

test("a service that cannot start ends the rest, with its reason", async () => {
  const up = await setup({ environment: { LIMITER_POLICIES_FILE: "/nowhere/policies.yaml" } });
  expect(await up.exited).toMatchObject({ code: 1 });
  expect(up.output()).toMatch(/could not start: limiter .*\n?.*\/nowhere\/policies\.yaml/);
  expect(up.processes()).toEqual([]);
});

test("a policies file without a policy that a service needs ends the start with its name", async () => {
  const policies = await writePolicies((yaml) => yaml.replace("  login.account:", "  other:"));
  onTestFinished(policies.remove);
  const up = await setup({ environment: policies.environment });
  expect(await up.exited).toMatchObject({ code: 1 });
  expect(up.output()).toContain("login.account: is missing, and needed (auth)");
  expect(up.processes()).toEqual([]);
});

test("an invalid variable ends the start with its name", async () => {
  const up = await setup({ environment: { REVOCATION_POLL_MS: "never" } });
  expect(await up.exited).toMatchObject({ code: 1 });
  expect(up.output()).toContain("REVOCATION_POLL_MS must be");
  expect(up.processes()).toEqual([]);
});

test("UP_RESTART_DELAY_MS=0 leaves a dead service down, and says so", async () => {
  const up = await setup({ environment: { UP_RESTART_DELAY_MS: "0" } });
  await up.waitForOutput(READY);
  process.kill(up.pidOf("limiter"), "SIGKILL");
  await up.waitForOutput("limiter was ended by SIGKILL and stays down");
  expect(await login(up.urls, "portcullis-demo")).toMatchObject({ status: 503 });
});

/** Expects updates that the demo publishes after the subscription. */
async function expectLiveUpdates({ urls }: UpProcess): Promise<void> {
  const connection = await connect(urls.gateway);
  onTestFinished(connection.close);
  const token = await mintToken(urls, "demo-private", await signIn(urls));
  await connection.request({ subscribe: { datasource: "demo" } });
  await connection.request({ subscribe: { datasource: "demo-private", token } });
  await eventually(() => {
    expect(connection.updates("demo").length).toBeGreaterThan(1);
    expect(connection.updates("demo-private").length).toBeGreaterThan(1);
  });
}

/** A port at which another server listens. */
async function listenAnywhere(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  return String(typeof address === "object" ? address?.port : undefined);
}

async function setup(options: Parameters<typeof startUp>[0] = {}): Promise<UpProcess> {
  const up = await startUp({ folder: makeUpFolder(), ...options });
  onTestFinished(up.dispose);
  return up;
}
