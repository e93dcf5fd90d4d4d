import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Verb } from "../../tools/rollout/terms/verb.ts";
import { EXIT } from "../../tools/rollout/terms/verdict.ts";
import { align } from "../../tools/rollout/verbs/align-verb.ts";
import { canary } from "../../tools/rollout/verbs/canary-verb.ts";
import { preflight } from "../../tools/rollout/verbs/preflight-verb.ts";
import { probe } from "../../tools/rollout/verbs/probe-verb.ts";
import { watch } from "../../tools/rollout/verbs/watch-verb.ts";
import { canRun } from "../edge/can-run.ts";
import { eventually } from "../fixtures/eventually.ts";
import { DEMO_ACCOUNT, type System, startSystem, TOKENS } from "../fixtures/services.ts";
import { type Edge, startRenderedEdge } from "./edges.ts";
import { canRunPrometheus, startPrometheus } from "./prometheus.ts";

/** Scrapes may be late on a busy machine. */
const SCRAPES_TIMEOUT_MS = 20_000;

const VERBS = [preflight, probe, align, canary, watch];

describe.runIf(canRun("nginx") && canRunPrometheus())("the verbs of the judges", () => {
  let system: System;
  let edge: Edge;
  let prometheus: Awaited<ReturnType<typeof startPrometheus>>;
  let directory: string;
  beforeAll(async () => {
    system = await startSystem({
      environment: { API_TRUST_PROXY_HOPS: "1", REALTIME_TRUST_PROXY_HOPS: "1" },
    });
    edge = await startRenderedEdge(system.urls);
    prometheus = await startPrometheus(system.metricsUrls);
    directory = mkdtempSync(join(tmpdir(), "portcullis-judge-verbs-"));
  });
  afterAll(async () => {
    await prometheus?.stop();
    await edge?.stop();
    await system?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test("preflight, probe and align say pass with exit code 0, and as JSON what they saw", async () => {
    for (const [verb, ...own] of [[preflight], [probe, "--idle", "0.2"], [align]] as const) {
      const { exitCode, output } = await run(verb, [...own, "--json"]);
      expect(JSON.parse(output), verb.name).toMatchObject({ verdict: "pass" });
      expect(exitCode, verb.name).toBe(EXIT.pass);
    }
  });

  test("align exits 3 where the answer is not unique, and shows why and the mend", async () => {
    const bare = { edgeUrl: system.urls.auth };
    expect((await run(align, [], bare)).exitCode).toBe(EXIT.inconclusive);
    const { exitCode, output } = await run(align, ["--client", "198.51.100.1"]);
    expect(exitCode).toBe(EXIT.inconclusive);
    expect(output).toContain("the outermost proxy names 127.0.0.1, but the client is 198.51.100.1");
    expect(output).toContain("mend:");
  });

  test("canary without enough traffic exits 3, never 0", async () => {
    const { exitCode, output, errors } = await run(canary, ["--duration", "1", "--json"]);
    expect(exitCode).toBe(EXIT.inconclusive);
    expect(JSON.parse(output)).toMatchObject({ verdict: "inconclusive" });
    expect(errors).toContain("nothing has failed");
  });

  test("watch writes a line each time where there is no terminal, a table where there is one", async () => {
    const often = ["--duration", "2", "--interval", "0.4"];
    await eventually(async () => {
      const { output } = await run(watch, [...often, "--json"]);
      const lines = output.trim().split("\n");
      expect(lines.length).toBeGreaterThan(1);
      expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({
        leftSeconds: 0,
        gates: expect.arrayContaining([
          expect.objectContaining({ id: "gate.services.scraped", verdict: "pass", value: 3 }),
        ]),
      });
    }, SCRAPES_TIMEOUT_MS);
    const plain = await run(watch, often);
    expect(plain.output).toMatch(/inconclusive, \d s left/);
    expect(plain.output).not.toContain("\u001b");
    const table = await run(watch, often, { isTerminal: true });
    expect(table.output).toMatch(/metric +now +baseline +limit +events/);
  });

  test("every verb explains itself, and refuses what it does not know", async () => {
    for (const verb of VERBS) {
      const help = await run(verb, ["--help"]);
      expect(help.exitCode).toBe(EXIT.pass);
      expect(help.output).toContain(`Usage: rollout ${verb.name}`);
      await expect(run(verb, ["--nonsense"])).rejects.toThrow("nonsense");
    }
    await expect(run(probe, ["--idle", "soon"])).rejects.toThrow("--idle must be a number");
  });

  async function run(
    verb: Verb,
    own: readonly string[],
    changes: { edgeUrl?: string; isTerminal?: boolean } = {},
  ) {
    const file = join(directory, "rollout.yaml");
    writeFileSync(file, configText(changes.edgeUrl ?? edge.url));
    let output = "";
    let errors = "";
    const exitCode = await verb.run({
      arguments: ["--config", file, ...own],
      environment: { TOKEN: TOKENS.operator, PASSWORD: DEMO_ACCOUNT.password },
      isTerminal: changes.isTerminal ?? false,
      stdout: (text) => {
        output += text;
      },
      stderr: (text) => {
        errors += text;
      },
      signal: new AbortController().signal,
    });
    return { exitCode, output, errors };
  }

  function configText(edgeUrl: string): string {
    const { auth, limiter, gateway, gatewayRpc, authAdmin } = system.urls;
    const nothing = "{ apply: 'true', rollback: 'true' }";
    return `edge: { url: "${edgeUrl}", config: ["${edge.configFile}"], topology: direct }
services: { auth: { url: "${auth}" }, limiter: { url: "${limiter}" }, gateway: { url: "${gateway}" }, gatewayRpc: { url: "${gatewayRpc}" }, authAdmin: { url: "${authAdmin}" } }
operatorTokenEnv: TOKEN
prometheus: { url: "${prometheus.url}" }
canary: { account: { email: "${DEMO_ACCOUNT.email}", passwordEnv: PASSWORD } }
stages:
  proxy: ${nothing}
  api: { limiter: ${nothing}, auth: ${nothing} }
  gateway: ${nothing}
`;
  }
});
