import { describe, expect, onTestFinished, test } from "vitest";
import { Secret } from "../../services/runtime/secret.ts";
import type { GateFinding } from "../../tools/rollout/judge/gate.ts";
import { measureGates, type Tracks } from "../../tools/rollout/judge/measure-gates.ts";
import { runCanary } from "../../tools/rollout/judge/run-canary.ts";
import { watchlist } from "../../tools/rollout/judge/watchlist.ts";
import { overall } from "../../tools/rollout/terms/verdict.ts";
import { canRun } from "../edge/can-run.ts";
import { eventually } from "../fixtures/eventually.ts";
import { writePolicies } from "../fixtures/policies.ts";
import { startPostgres } from "../fixtures/postgres.ts";
import { DEMO_ACCOUNT, startSystem, TOKENS } from "../fixtures/services.ts";
import { getCheck, notPassed } from "./checks.ts";
import { startHandWrittenEdge, startRenderedEdge } from "./edges.ts";
import { canRunPrometheus, startPrometheus } from "./prometheus.ts";
import { startTraffic } from "./traffic.ts";

const DURATION_SECONDS = 6;
const REQUESTS_MIN = 6;
const BASELINE_TIMEOUT_MS = 30_000;

const HOPS_1 = { API_TRUST_PROXY_HOPS: "1", REALTIME_TRUST_PROXY_HOPS: "1" };
/** Long enough that a busy machine does not look like an outage. */
const PATIENT = { LIMITER_TIMEOUT_MS: "2000", LIMITER_DECISION_TIMEOUT_MS: "1800" };
/** These gates depend on how busy the test machine is. */
const SPEED_GATES = new Set(["gate.limiter.p99", "gate.event-loop"]);

describe.runIf(canRun("nginx") && canRunPrometheus())("runCanary() with a real Prometheus", () => {
  test("passes with journeys, enough traffic and a baseline; then fails when the database is gone", async () => {
    const { options, waitForBaseline, postgres } = await setup({ environment: HOPS_1 });
    await waitForBaseline();
    const good = await runCanary(options());
    expect(notPassed(good.filter(({ id }) => !SPEED_GATES.has(id)))).toEqual([]);
    expect(good.map(({ id }) => id)).toEqual(
      expect.arrayContaining(["canary.login", "canary.identity", "gate.client-ip.warnings"]),
    );

    const share = "gate.client-ip.top-key-share";
    const same = await measureGate(share, options(), { canary: "canary", control: "canary" });
    expect(same).toMatchObject({ value: 1, baseline: 1, check: { verdict: "pass" } });
    const alone = await measureGate(share, options(), { canary: "canary", control: "stable" });
    expect(alone).toMatchObject({ value: 1, check: { verdict: "inconclusive" } });

    await postgres.kill9();
    const bad = await runCanary({ ...options(), durationSeconds: 2 * DURATION_SECONDS });
    expect(getCheck(bad, "canary.login")).toMatchObject({
      verdict: "fail",
      observed: "status 503",
    });
    expect(overall(bad)).toBe("fail");
    await eventually(async () => {
      const { check } = await measureGate("gate.limiter.no-decision", options());
      expect(check).toMatchObject({ verdict: "fail", mend: expect.stringContaining("database") });
    });
  });

  test("fails for the right reason when hops are raised before the edge writes the header", async () => {
    const { options, waitForBaseline } = await setup({ environment: HOPS_1, isEdgeSilent: true });
    await waitForBaseline();
    const checks = await runCanary(options());
    expect(getCheck(checks, "canary.identity")).toMatchObject({
      verdict: "fail",
      observed: "in doubt: missing_or_invalid, so everybody is 127.0.0.1",
    });
    const warnings = await eventually(async () => {
      const found = await measureGate("gate.client-ip.warnings", options());
      expect(found.value).toBeGreaterThan(0);
      return found;
    });
    expect(warnings.check.verdict).toBe("fail");
    expect(warnings.check.mend).toContain("X-Forwarded-For");
  });

  test("never passes on missing data: no Prometheus, no traffic, no password", async () => {
    const { options } = await setup({ environment: HOPS_1, isQuiet: true });
    const quiet = await runCanary({ ...options(), durationSeconds: 1 });
    expect(getCheck(quiet, "gate.client-ip.warnings").verdict).toBe("inconclusive");
    const blind = await runCanary({
      ...options(),
      prometheusUrl: undefined,
      account: undefined,
      durationSeconds: 1,
    });
    expect(overall(blind)).toBe("inconclusive");
    const deaf = await runCanary({
      ...options(),
      prometheusUrl: "http://127.0.0.1:9",
      durationSeconds: 1,
    });
    expect(overall(deaf)).toBe("inconclusive");
  });
});

async function setup(given: {
  environment: Readonly<Record<string, string>>;
  isEdgeSilent?: boolean;
  isQuiet?: boolean;
}) {
  const postgres = await startPostgres();
  onTestFinished(postgres.stop);
  const policies = await writePolicies(allowManyFromOneAddress);
  onTestFinished(policies.remove);
  const environment = { ...PATIENT, ...policies.environment, ...given.environment };
  const system = await startSystem({ environment, databaseUrl: postgres.url });
  onTestFinished(system.stop);
  const starting = given.isEdgeSilent
    ? startHandWrittenEdge(system.urls, 'proxy_set_header X-Forwarded-For "";')
    : startRenderedEdge(system.urls);
  const edge = await starting;
  onTestFinished(edge.stop);
  const prometheus = await startPrometheus(system.metricsUrls);
  onTestFinished(prometheus.stop);
  const traffic = given.isQuiet ? undefined : startTraffic(edge.url);
  onTestFinished(async () => await traffic?.stop());

  const options = () => ({
    edgeUrl: edge.url,
    topology: "direct" as const,
    services: system.urls,
    operatorToken: new Secret(TOKENS.operator),
    account: DEMO_ACCOUNT,
    datasources: { public: "demo", private: "demo-private" },
    prometheusUrl: prometheus.url,
    durationSeconds: DURATION_SECONDS,
    intervalSeconds: 2,
    requestsMin: REQUESTS_MIN,
  });
  return {
    options,
    postgres,
    /** Waits until the baseline has more than twice the requests that the canary needs. */
    waitForBaseline: async () => {
      await eventually(async () => {
        const { samples } = await measureGate("gate.client-ip.warnings", options());
        expect(samples).toBeGreaterThan(2 * REQUESTS_MIN);
      }, BASELINE_TIMEOUT_MS);
    },
  };
}

/** Users and canary share one address here; together they must not reach its limits. */
function allowManyFromOneAddress(yaml: string): string {
  const lines = yaml.split("\n").map((line) => {
    return line.includes("concurrency") ? line : line.replaceAll(/limit: \d+/g, "limit: 60000");
  });
  return lines.join("\n");
}

async function measureGate(
  id: string,
  options: { prometheusUrl: string },
  tracks?: Tracks,
): Promise<GateFinding> {
  const at = new Date();
  const gates = watchlist({ hops: 1, topology: "direct" });
  const [finding] = await measureGates({
    prometheusUrl: options.prometheusUrl,
    gates: gates.filter((gate) => gate.id === id),
    windowSeconds: DURATION_SECONDS,
    at,
    baseline: { endsAt: at, windowSeconds: DURATION_SECONDS },
    tracks,
    requestsMin: REQUESTS_MIN,
  });
  if (finding === undefined) throw new Error(`the watchlist has no gate ${id}`);
  return finding;
}
