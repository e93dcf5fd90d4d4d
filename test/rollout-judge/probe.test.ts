import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Secret } from "../../services/runtime/secret.ts";
import type { Check } from "../../tools/edge/probe/check.ts";
import type { Deployment } from "../../tools/edge/probe/deployment.ts";
import { probeCommand } from "../../tools/edge/probe-command.ts";
import { runAlign } from "../../tools/rollout/judge/run-align.ts";
import { runProbe } from "../../tools/rollout/judge/run-probe.ts";
import { overall } from "../../tools/rollout/terms/verdict.ts";
import { canRun } from "../edge/can-run.ts";
import { type System, startSystem, TOKENS } from "../fixtures/services.ts";
import { getCheck, notPassed } from "./checks.ts";
import { type Edge, startHandWrittenEdge, startRenderedEdge } from "./edges.ts";

/** Long enough to show that the probe waits. */
const IDLE_SECONDS = 0.5;

describe.runIf(canRun("nginx"))("behind a real nginx, with hops 1", () => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem({
      environment: { API_TRUST_PROXY_HOPS: "1", REALTIME_TRUST_PROXY_HOPS: "1" },
    });
  });
  afterAll(async () => await system?.stop());

  test("runProbe() passes for the edge that we render, on every route", async () => {
    const checks = await withEdge(startRenderedEdge(system.urls), async (deployment) => {
      return await runProbe({ ...deployment, idleSeconds: IDLE_SECONDS });
    });
    expect(notPassed(checks)).toEqual([]);
    expect(checks.map(({ id }) => id)).toEqual(
      expect.arrayContaining([
        "spoof.AuthService.Login",
        "spoof.DatasourceService.MintToken",
        "spoof.jwks",
        "spoof.why",
        "spoof.realtime.plain",
        "spoof.realtime.upgrade",
        "closed.edge",
        "closed.direct",
        "access.direct",
        "dependencies.gateway",
        "upgrade.idle",
      ]),
    );
  });

  test("edge probe passes for the edge that we render, without a rollout's configuration", async () => {
    const edge = await startRenderedEdge(system.urls);
    const { code, output } = await edgeProbe(edge.url, system.urls).finally(edge.stop);
    const checks: Check[] = JSON.parse(output);
    expect(notPassed(checks)).toEqual([]);
    expect(checks.map(({ id }) => id)).toEqual(
      expect.arrayContaining([
        "spoof.realtime.upgrade",
        "closed.edge",
        "sizes.http1",
        "family.ipv6",
      ]),
    );
    expect(code).toBe(0);
  });

  test("edge probe fails an edge that forwards everything, and names what got through", async () => {
    const edge = await startHandWrittenEdge(
      system.urls,
      "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    );
    const { code, output } = await edgeProbe(edge.url, system.urls).finally(edge.stop);
    const checks: Check[] = JSON.parse(output);
    expect(getCheck(checks, "closed.edge").verdict).toBe("fail");
    expect(getCheck(checks, "spoof.jwks").observed).toContain("one-entry");
    expect(code).toBe(1);
  });

  test("runAlign() finds one hop behind the edge that we render", async () => {
    const { checks, hops } = await withEdge(startRenderedEdge(system.urls), runAlign);
    expect(hops).toBe(1);
    expect(notPassed(checks)).toEqual([]);
    expect(getCheck(checks, "align.gateway").observed).toContain("overwrites");
  });

  test("runAlign() finds two hops where the edge appends for a CDN, and that one is too few", async () => {
    const edge = await startRenderedEdge(system.urls, "cdn-append");
    const cdn = startRenderedEdge({ ...system.urls, auth: edge.url, gateway: edge.url });
    const { checks, hops } = await withEdge(cdn, async (deployment) => {
      return await runAlign({ ...deployment, clientAddress: "127.0.0.1" });
    }).finally(edge.stop);
    expect(hops).toBe(2);
    expect(getCheck(checks, "align.configured")).toMatchObject({
      verdict: "fail",
      observed: "auth 1, gateway 1; measured 2",
    });
    expect(getCheck(checks, "align.topology")).toMatchObject({
      verdict: "inconclusive",
      observed: "2 entries, and the edge overwrites; edge.topology says direct",
    });
  });

  test("runAlign() names the balancers that write as one does, and is content with their name", async () => {
    const balancer = () =>
      startHandWrittenEdge(
        system.urls,
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
      );
    const asDirect = await withEdge(balancer(), runAlign);
    expect(getCheck(asDirect.checks, "align.topology")).toMatchObject({
      verdict: "inconclusive",
      mend: expect.stringContaining("aws-alb"),
    });
    const named = await withEdge(balancer(), async (deployment) => {
      const front = { name: "aws-alb", hops: 1, standsAlone: true };
      return await runAlign({ ...deployment, topology: "cdn-append", front });
    });
    expect(notPassed(named.checks)).toEqual([]);
  });

  test("runProbe() and runAlign() tell what an edge does that appends and forwards everything", async () => {
    const append = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;";
    const edge = startHandWrittenEdge(system.urls, append);
    const { probe, align } = await withEdge(edge, async (deployment) => ({
      probe: await runProbe({ ...deployment, idleSeconds: IDLE_SECONDS }),
      align: await runAlign(deployment),
    }));
    expect(getCheck(probe, "spoof.realtime.upgrade").verdict).toBe("fail");
    expect(getCheck(probe, "closed.edge").verdict).toBe("fail");
    expect(getCheck(probe, "closed.edge").observed).toContain("reached auth");
    expect(align.hops).toBe(1);
    expect(getCheck(align.checks, "align.auth").observed).toContain("appends");
  });

  test("runAlign() refuses where the client's own header gets through, or nobody writes one", async () => {
    for (const line of ["", 'proxy_set_header X-Forwarded-For "";']) {
      const edge = startHandWrittenEdge(system.urls, line);
      const { checks, hops } = await withEdge(edge, runAlign);
      expect(hops).toBeUndefined();
      expect(overall(checks)).toBe("inconclusive");
      expect(getCheck(checks, "align.auth").observed).toContain("no number of hops is right");
    }
  });

  test("runProbe() without the operator's token is in doubt, never content", async () => {
    const checks = await withEdge(startRenderedEdge(system.urls), async (deployment) => {
      const blind = { ...deployment, operatorToken: undefined };
      return await runProbe({ ...blind, idleSeconds: IDLE_SECONDS });
    });
    expect(overall(checks)).toBe("inconclusive");
    expect(getCheck(checks, "spoof.jwks").verdict).toBe("inconclusive");
  });

  /** Runs `work` against the system behind an edge, and stops the edge afterwards. */
  async function withEdge<T>(
    starting: Promise<Edge>,
    work: (deployment: Deployment) => Promise<T>,
  ): Promise<T> {
    const edge = await starting;
    try {
      return await work({
        edgeUrl: edge.url,
        topology: "direct",
        services: system.urls,
        operatorToken: new Secret(TOKENS.operator),
      });
    } finally {
      await edge.stop();
    }
  }
});

async function edgeProbe(edgeUrl: string, { auth, gatewayRpc }: System["urls"]) {
  let output = "";
  const args = ["--json", "--auth", auth, "--gateway", gatewayRpc, edgeUrl];
  const code = await probeCommand(args, {
    write: (text) => {
      output += text;
    },
    writeError: () => undefined,
    environment: { OPERATOR_SERVICE_TOKEN: TOKENS.operator },
    colours: false,
  });
  return { code, output };
}
