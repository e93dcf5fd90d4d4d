import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../fixtures/eventually.ts";
import { productionEnvironment } from "../fixtures/production-environment.ts";
import { tryConnect } from "../fixtures/realtime-connection.ts";
import { type Scrape, scrape } from "../fixtures/scrape.ts";
import { runServiceToExit, startServiceProcess } from "../fixtures/service-process.ts";
import { findAddresses } from "../fixtures/services.ts";

const UNUSED_DATABASE = "postgres://nobody@127.0.0.1:1/none";
const CHANGE = "CHG-4711";
const HOUR_MS = 3_600_000;
/** Long enough to start a gateway on a busy machine and to serve for a while. */
const OPEN_MS = 6_000;
const CLOSES_TIMEOUT_MS = 15_000;
/** The number of upgrades in flight at any time. */
const CLIENTS = 4;
const PAUSE_MS = 20;

test("fail-open ends by itself at its time, under load, with the counters to show it", async () => {
  const untilMs = Date.now() + OPEN_MS;
  const gateway = await startGateway({
    REALTIME_LIMITER_FAILURE_MODE: "fail-open",
    REALTIME_LIMITER_FAIL_OPEN_CHANGE: CHANGE,
    REALTIME_LIMITER_FAIL_OPEN_UNTIL: new Date(untilMs).toISOString(),
  });
  const load = startLoad(gateway.url);
  onTestFinished(load.stop);

  await eventually(() => expect(load.statuses().length).toBeGreaterThan(CLIENTS));
  expect(modeOf(await gateway.scrape())).toEqual({ open: 1, closed: 0 });
  await eventually(() => expect(load.statuses()).toContain(503), CLOSES_TIMEOUT_MS);
  const after = load.count();
  await eventually(() => expect(load.count()).toBeGreaterThan(after + CLIENTS));
  await load.stop();

  // Every upgrade before the end passed, and every one after it was refused.
  for (const { status, startedAtMs, endedAtMs } of load.answers()) {
    expect(endedAtMs < untilMs ? [101] : startedAtMs >= untilMs ? [503] : [101, 503]).toContain(
      status,
    );
  }
  const ended = await gateway.scrape();
  expect(modeOf(ended)).toEqual({ open: 0, closed: 1 });
  expect(ended.sum("portcullis_failure_mode_ended_total", { surface: "realtime" })).toBe(1);
  const passed = load.statuses().filter((status) => status === 101).length;
  const refused = load.statuses().filter((status) => status === 503).length;
  expect({
    "fail-open": outcomes(ended, "fail-open"),
    "fail-closed": outcomes(ended, "fail-closed"),
    "backend-error": outcomes(ended, "backend-error"),
  }).toEqual({ "fail-open": passed, "fail-closed": refused, "backend-error": passed + refused });
  expect(ended.sum("portcullis_realtime_rejected_total", { status: "503" })).toBe(refused);

  const until = new Date(untilMs).toISOString();
  await eventually(() => {
    const messages = gateway.messages();
    expect(messages).toContain(`realtime limits fail open under change ${CHANGE} until ${until}`);
    expect(messages).toContain(`realtime limits fail closed again: fail-open ended at ${until}`);
    expect(messages).toContain(
      `Security limiter warning: backend consume failed (unavailable); failing open under change ${CHANGE} until ${until}.`,
    );
  });
});

test("fail-open whose end is in the past starts closed, and warns", async () => {
  const gateway = await startGateway({
    REALTIME_LIMITER_FAILURE_MODE: "fail-open",
    REALTIME_LIMITER_FAIL_OPEN_CHANGE: CHANGE,
    REALTIME_LIMITER_FAIL_OPEN_UNTIL: "2020-01-01T00:00:00Z",
  });
  expect(await tryConnect(gateway.url)).toMatchObject({ status: 503 });
  expect(modeOf(await gateway.scrape())).toEqual({ open: 0, closed: 1 });
  await eventually(() =>
    expect(gateway.messages()).toContain(
      "realtime limits fail closed again: fail-open ended at 2020-01-01T00:00:00.000Z",
    ),
  );
});

const UNACCOUNTED = [
  { name: "a change reference", until: HOUR_MS, problem: /REALTIME_LIMITER_FAIL_OPEN_CHANGE/ },
  { name: "an end", change: CHANGE, problem: /REALTIME_LIMITER_FAIL_OPEN_UNTIL/ },
  {
    name: "an end within four hours",
    change: CHANGE,
    until: 4 * HOUR_MS + 60_000,
    problem: /REALTIME_LIMITER_FAIL_OPEN_UNTIL must be at most 4 hours ahead/,
  },
];

for (const { name, change, until, problem } of UNACCOUNTED) {
  test(`fail-open without ${name} is refused at the start`, async () => {
    const { environment } = await findAddresses();
    const exit = await runServiceToExit("gateway", {
      ...productionEnvironment(UNUSED_DATABASE),
      ...environment,
      REALTIME_LIMITER_FAILURE_MODE: "fail-open",
      ...(change !== undefined && { REALTIME_LIMITER_FAIL_OPEN_CHANGE: change }),
      ...(until !== undefined && {
        REALTIME_LIMITER_FAIL_OPEN_UNTIL: new Date(Date.now() + until).toISOString(),
      }),
    });
    expect(exit.code).toBe(1);
    expect(exit.errorOutput).toMatch(problem);
  });
}

function modeOf(metrics: Scrape) {
  const gauge = (mode: string) =>
    metrics.sum("portcullis_failure_mode", { surface: "realtime", mode });
  return { open: gauge("fail-open"), closed: gauge("fail-closed") };
}

function outcomes(metrics: Scrape, outcome: string) {
  return metrics.sum("portcullis_limiter_outcomes_total", { surface: "realtime", outcome });
}

type Answered = { status: number; startedAtMs: number; endedAtMs: number };

/** Connects without pause, each time from another address. */
function startLoad(gatewayUrl: string) {
  const answers: Answered[] = [];
  let isStopped = false;
  let connects = 0;
  const run = async () => {
    while (!isStopped) {
      connects += 1;
      const address = `10.${connects >> 16}.${(connects >> 8) & 255}.${connects & 255}`;
      const startedAtMs = Date.now();
      const answer = await tryConnect(gatewayUrl, { "x-forwarded-for": address });
      const status = "status" in answer ? answer.status : 101;
      answers.push({ status, startedAtMs, endedAtMs: Date.now() });
      if (!("status" in answer)) answer.close();
      await sleep(PAUSE_MS);
    }
  };
  const clients = Array.from({ length: CLIENTS }, run);
  return {
    answers: (): readonly Answered[] => answers,
    statuses: () => answers.map(({ status }) => status),
    count: () => answers.length,
    async stop() {
      isStopped = true;
      await Promise.all(clients);
    },
  };
}

/** Starts a gateway as in production behind one proxy, without a limiter. */
async function startGateway(failure: Readonly<Record<string, string>>) {
  const { urls, metricsUrls, environment } = await findAddresses();
  const process = await startServiceProcess({
    name: "gateway",
    url: urls.gatewayRpc,
    environment: {
      ...productionEnvironment(UNUSED_DATABASE),
      ...environment,
      REALTIME_TRUST_PROXY_HOPS: "1",
      ...failure,
    },
  });
  onTestFinished(process.stop);
  return {
    url: urls.gateway,
    scrape: async () => await scrape(metricsUrls.gateway),
    messages: () => process.logs().map(({ msg }) => msg),
  };
}
