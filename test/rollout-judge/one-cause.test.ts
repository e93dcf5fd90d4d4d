import { createServer, type RequestListener } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { Secret } from "../../services/runtime/secret.ts";
import { measureGates } from "../../tools/rollout/judge/measure-gates.ts";
import { runAlign } from "../../tools/rollout/judge/run-align.ts";
import { runPreflight } from "../../tools/rollout/judge/run-preflight.ts";
import { runProbe } from "../../tools/rollout/judge/run-probe.ts";
import { watchlist } from "../../tools/rollout/judge/watchlist.ts";
import { renderChecks } from "../../tools/rollout/terminal/report.ts";
import { overall } from "../../tools/rollout/terms/verdict.ts";
import { findFreePort } from "../../tools/up/free-port.ts";

test("a Prometheus that is not there is one doubt with its address, not one for each gate", async () => {
  const url = `http://127.0.0.1:${await findFreePort()}`;
  const { checks } = await measure(url);
  expect(checks).toHaveLength(1);
  expect(checks[0]).toMatchObject({ id: "gate.prometheus", verdict: "inconclusive" });
  expect(checks[0]?.observed).toMatch(`Prometheus does not answer at ${url} (connect ECONNREFUSED`);
});

test("what answers in the place of Prometheus, but is none, is one doubt", async () => {
  const url = await listen((_request, response) => response.writeHead(502).end("bad gateway"));
  const { checks, asked } = await measure(url);
  expect(checks.map(({ observed }) => observed)).toEqual([
    `Prometheus does not answer at ${url} (status 502 to vector(1))`,
  ]);
  expect(asked).toBe(1);
});

test("a Prometheus that goes away half-way is told once, beside what it had answered", async () => {
  let answers = 0;
  const url = await listen((_request, response) => {
    answers++;
    if (answers > 9) return void response.destroy();
    const result = [{ metric: {}, value: [1, "0"] }];
    response.end(JSON.stringify({ data: { resultType: "vector", result } }));
  });
  const { checks } = await measure(url);
  expect(checks.filter(({ id }) => id === "gate.prometheus")).toHaveLength(1);
  expect(checks.length).toBeLessThan(10);
  expect(checks.filter(({ observed }) => observed === "no data")).toEqual([]);
});

test("services that do not answer are told once by every judge, with their addresses", async () => {
  const deployment = await nowhere("token");
  for (const checks of [
    await runPreflight({ ...deployment, files: {}, edgeConfigFiles: [] }),
    await runProbe({ ...deployment, idleSeconds: 0 }),
    (await runAlign(deployment)).checks,
  ]) {
    const text = renderChecks(checks, { isTerminal: false });
    expect(overall(checks)).not.toBe("pass");
    expect(text.match(/^DOUBT {2}services\.answer/gm), text).toHaveLength(1);
    expect(text.split(`auth at ${deployment.services.auth}`), text).toHaveLength(2);
    expect(text.split("\n").length, text).toBeLessThan(15);
  }
});

test("a missing token is told once, and no service is asked", async () => {
  const deployment = await nowhere(undefined);
  const checks = await runProbe({ ...deployment, idleSeconds: 0 });
  const text = renderChecks(checks, { isTerminal: false });
  expect(text.split("no operator token is set")).toHaveLength(2);
});

async function measure(prometheusUrl: string) {
  const at = new Date();
  let asked = 0;
  const gates = watchlist({ hops: 1, topology: "direct" }).map((gate) => ({
    ...gate,
    value: (window: string) => {
      asked++;
      return gate.value(window);
    },
  }));
  const findings = await measureGates({
    ...{ prometheusUrl, gates, at, windowSeconds: 60, requestsMin: 1 },
    baseline: { endsAt: at, windowSeconds: 60 },
  });
  return { checks: findings.map(({ check }) => check), asked: asked + 1 };
}

async function listen(handle: RequestListener): Promise<string> {
  const server = createServer(handle);
  const port = await findFreePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${port}`;
}

/** A deployment with no service running. */
async function nowhere(token: string | undefined) {
  const url = `http://127.0.0.1:${await findFreePort()}`;
  return {
    edgeUrl: url,
    topology: "direct" as const,
    services: { auth: url, limiter: url, gateway: url, gatewayRpc: url, authAdmin: url },
    operatorToken: token === undefined ? undefined : new Secret(token),
  };
}
