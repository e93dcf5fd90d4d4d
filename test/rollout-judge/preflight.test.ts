import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Environment } from "../../services/runtime/env.ts";
import { Secret } from "../../services/runtime/secret.ts";
import { checkDirectAccess } from "../../tools/rollout/judge/check-direct-access.ts";
import { type PreflightOptions, runPreflight } from "../../tools/rollout/judge/run-preflight.ts";
import { overall } from "../../tools/rollout/terms/verdict.ts";
import { canRun } from "../edge/can-run.ts";
import { writePolicies } from "../fixtures/policies.ts";
import { type System, startSystem, TOKENS } from "../fixtures/services.ts";
import { getCheck, notPassed } from "./checks.ts";
import { type Edge, startHandWrittenEdge, startRenderedEdge } from "./edges.ts";

describe.runIf(canRun("nginx"))("runPreflight() of a system with hops 1", () => {
  let system: System;
  let edge: Edge;
  beforeAll(async () => {
    system = await startSystem({
      environment: { API_TRUST_PROXY_HOPS: "1", REALTIME_TRUST_PROXY_HOPS: "1" },
    });
    edge = await startRenderedEdge(system.urls);
  });
  afterAll(async () => {
    await edge?.stop();
    await system?.stop();
  });

  test("passes behind the edge that we render, from the live services alone", async () => {
    const checks = await runPreflight(options());
    expect(notPassed(checks)).toEqual([]);
    expect(checks.map(({ id }) => id)).toEqual([
      "services.answer",
      "hops.aligned",
      "edge.config",
      "edge.header.auth",
      "edge.header.gateway",
      "proxies.named",
      "limiter.backend",
      "failure-mode.closed",
      "secrets.well-known",
      "migrations.auth",
      "migrations.limiter",
      "clock.skew",
      "access.direct",
    ]);
  });

  test("passes with the environment files of the services, and compares their secrets", async () => {
    const checks = await runPreflight(options({ files: filesWith({}) }));
    expect(notPassed(checks)).toEqual([]);
    expect(getCheck(checks, "secrets.agree").verdict).toBe("pass");
    expect(getCheck(checks, "config.gateway").verdict).toBe("pass");
    expect(getCheck(checks, "migrations.auth").observed).toMatch(
      /^version \d+, this release has \d+$/,
    );
  });

  test("finds hops that are raised before the edge writes the header, running or planned", async () => {
    const silent = await startHandWrittenEdge(system.urls, 'proxy_set_header X-Forwarded-For "";');
    const running = await runPreflight(
      options({ edgeUrl: silent.url, edgeConfigFiles: [silent.configFile] }),
    ).finally(silent.stop);
    expect(getCheck(running, "edge.header.auth")).toMatchObject({
      verdict: "fail",
      observed: "0 entries, hops 1",
    });
    expect(getCheck(running, "edge.header.gateway").verdict).toBe("fail");
    expect(getCheck(running, "edge.config").verdict).toBe("fail");

    const two = { API_TRUST_PROXY_HOPS: "2", REALTIME_TRUST_PROXY_HOPS: "2" };
    const planned = await runPreflight(options({ files: filesWith(two) }));
    expect(getCheck(planned, "edge.header.auth").observed).toBe("1 entries, hops 2");
    expect(getCheck(planned, "hops.aligned")).toMatchObject({
      verdict: "fail",
      observed: "auth 2 (runs with 1), limiter 2 (runs with 1), gateway 2 (runs with 1)",
      mend: expect.stringContaining("edge.topology is cdn-append or google"),
    });
  });

  test("warns of hops without named proxies, and fails names that leave the edge out", async () => {
    const unnamed = await runPreflight(options({ files: filesWith({}) }));
    const warning = {
      verdict: "pass",
      severity: "warning",
      observed: "auth and gateway would believe any peer; the edge comes from 127.0.0.1",
      mend: expect.stringContaining("set TRUSTED_PROXY_CIDRS=127.0.0.1/32"),
    };
    expect(getCheck(unnamed, "proxies.named")).toMatchObject(warning);
    expect(overall(unnamed)).toBe("pass");
    expect(getCheck(await runPreflight(options()), "proxies.named")).toMatchObject(warning);
    const named = options({ files: filesWith({ TRUSTED_PROXY_CIDRS: "127.0.0.0/8" }) });
    expect(getCheck(await runPreflight(named), "proxies.named")).toMatchObject({ mend: "" });
    const strange = options({ files: filesWith({ TRUSTED_PROXY_CIDRS: "192.0.2.0/24" }) });
    expect(getCheck(await runPreflight(strange), "proxies.named").verdict).toBe("fail");
  });

  test("finds what does not agree: hops, secrets, failure modes, backends, broken files", async () => {
    const files = filesWith({});
    const checks = await runPreflight(
      options({
        files: {
          auth: { ...files.auth, AUTH_SERVICE_TOKEN: "zebra-token", DB_BACKEND: "mysql" },
          limiter: files.limiter,
          gateway: {
            ...files.gateway,
            REALTIME_TRUST_PROXY_HOPS: "0",
            REALTIME_LIMITER_FAILURE_MODE: "fail-open",
          },
        },
      }),
    );
    expect(getCheck(checks, "hops.aligned").verdict).toBe("fail");
    expect(getCheck(checks, "secrets.agree").observed).toBe(
      "AUTH_SERVICE_TOKEN of auth and limiter differ",
    );
    expect(getCheck(checks, "failure-mode.closed").verdict).toBe("fail");
    expect(getCheck(checks, "limiter.backend").verdict).toBe("fail");
    expect(getCheck(checks, "config.auth").observed).toContain("DB_BACKEND");
    expect(JSON.stringify(checks)).not.toContain("zebra-token");
  });

  test("reads the policies files that the environment files name", async () => {
    const broken = await writePolicies((yaml) => yaml.replace("  login.account:", "  other:"));
    const whole = await writePolicies((yaml) => yaml);
    const files = {
      ...filesWith(whole.environment),
      limiter: { ...filesWith({}).limiter, ...broken.environment },
    };
    const checks = await runPreflight(options({ files }));
    expect(getCheck(checks, "policies.auth").verdict).toBe("pass");
    expect(getCheck(checks, "policies.limiter")).toMatchObject({
      verdict: "fail",
      observed: "login.account: is missing, and needed (auth)",
      mend: expect.stringContaining(broken.environment["LIMITER_POLICIES_FILE"] ?? ""),
    });
    await Promise.all([broken.remove(), whole.remove()]);
  });

  test("checkDirectAccess() finds a service that believes callers at another address of the machine", async () => {
    expect((await checkDirectAccess(options(), [])).verdict).toBe("pass");
    const exposed = await checkDirectAccess(options(), ["127.0.0.1"]);
    expect(exposed).toMatchObject({
      verdict: "fail",
      observed: expect.stringContaining(`gateway at ${system.urls.gateway}`),
      mend: expect.stringContaining("TRUSTED_PROXY_CIDRS"),
    });
  });

  test("is in doubt, not content, without a token, without files and without services", async () => {
    const blind = await runPreflight(options({ operatorToken: undefined }));
    expect(overall(blind)).toBe("inconclusive");
    const nowhere = "http://127.0.0.1:9";
    const lost = await runPreflight(
      options({
        edgeUrl: nowhere,
        edgeConfigFiles: [],
        services: {
          auth: nowhere,
          limiter: nowhere,
          gateway: nowhere,
          gatewayRpc: nowhere,
          authAdmin: nowhere,
        },
      }),
    );
    expect(new Set(lost.map(({ verdict }) => verdict))).toEqual(new Set(["inconclusive"]));
  });

  function options(changes: Partial<PreflightOptions> = {}): PreflightOptions {
    return {
      edgeUrl: edge.url,
      topology: "direct",
      services: system.urls,
      operatorToken: new Secret(TOKENS.operator),
      files: {},
      edgeConfigFiles: [edge.configFile],
      ...changes,
    };
  }

  function filesWith(changes: Environment) {
    const file = {
      NODE_ENV: "test",
      DATABASE_URL: system.databaseUrl,
      API_TRUST_PROXY_HOPS: "1",
      REALTIME_TRUST_PROXY_HOPS: "1",
      GATEWAY_SERVICE_TOKEN: TOKENS.gateway,
      AUTH_SERVICE_TOKEN: TOKENS.auth,
      OPERATOR_SERVICE_TOKEN: TOKENS.operator,
      ...changes,
    };
    return { auth: file, limiter: file, gateway: file };
  }
});
