import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lintFile } from "../../tools/edge/lint/lint-file.ts";
import { CannotProveError } from "../../tools/edge/prove/cannot-prove-error.ts";
import { type Proof, proveFile } from "../../tools/edge/prove/prove-file.ts";
import type { RunnableProxy } from "../../tools/edge/start-proxy.ts";
import { canRun } from "./can-run.ts";
import { CADDY_HAND_WRITTEN_TRAPS } from "./configs/caddy-traps.ts";
import { HAPROXY_TRAPS } from "./configs/haproxy-traps.ts";
import { NGINX_HARMLESS, NGINX_ROUTE_TRAPS, NGINX_VALUE_TRAPS } from "./configs/nginx-traps.ts";
import { NGINX_TRAPS, type PlantedTrap } from "./configs/planted-traps.ts";

const PLANTED = [
  {
    proxy: "nginx",
    good: "hand-written.nginx.conf",
    name: "nginx.conf",
    traps: [...NGINX_TRAPS, ...NGINX_ROUTE_TRAPS, ...NGINX_VALUE_TRAPS],
    harmless: NGINX_HARMLESS,
  },
  {
    proxy: "haproxy",
    good: "hand-written.haproxy.cfg",
    name: "haproxy.cfg",
    traps: HAPROXY_TRAPS,
    harmless: [],
  },
  {
    proxy: "caddy",
    good: "hand-written.Caddyfile",
    name: "Caddyfile",
    traps: CADDY_HAND_WRITTEN_TRAPS,
    harmless: [],
  },
] as const;

const table: string[] = [];
afterAll(() => {
  const head = ["| proxy | trap | lint | prove |", "| --- | --- | --- | --- |"];
  process.stdout.write(`${[...head, ...table].join("\n")}\n`);
});

for (const { proxy, good, name, traps, harmless } of PLANTED) {
  describe.runIf(canRun(proxy))(`lint and prove, ${proxy}`, () => {
    const files = setup(proxy, good, name);

    for (const trap of traps) {
      test(`one of them finds a trap: ${trap.name}`, async () => {
        const { lint, prove } = await files.judge(trap);
        table.push(`| ${proxy} | ${trap.name} | ${lint.join(" ")} | ${prove.join(" ")} |`);
        const isFound = lint.includes(trap.rule) || prove.some((rule) => rule !== "refused");
        expect(isFound, `lint: ${lint}; prove: ${prove}`).toBe(true);
      });
    }

    for (const one of harmless) {
      test(`prove has nothing against ${one.name}`, async () => {
        const { prove } = await files.judge({ ...one, rule: "syntax" });
        expect(prove).toEqual([]);
      });
    }
  });
}

type Judged = { lint: readonly string[]; prove: readonly string[] };

/** Plants a trap into the good file; what prove finds in the good file itself is no trap. */
function setup(proxy: RunnableProxy, good: string, name: string) {
  const text = readFileSync(new URL(`configs/${good}`, import.meta.url), "utf8");
  const directory = mkdtempSync(join(tmpdir(), "edge-prove-traps-"));
  const file = join(directory, name);
  let known: readonly string[] = [];
  const run = async (content: string, topology: PlantedTrap["topology"]): Promise<string[]> => {
    writeFileSync(file, content);
    try {
      const options = { proxy, file, text: content, topology, upstreams: [] };
      return rulesOf((await proveFile(options)).findings);
    } catch (error) {
      if (!(error instanceof CannotProveError)) throw error;
      return ["refused"];
    }
  };
  beforeAll(async () => {
    known = await run(text, undefined);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return {
    judge: async (trap: Omit<PlantedTrap, "at">): Promise<Judged> => {
      const planted = text
        .replace(trap.replace, () => trap.by)
        .replace(trap.and?.replace ?? "", () => trap.and?.by ?? "");
      const prove = (await run(planted, trap.topology)).filter((rule) => !known.includes(rule));
      const { findings } = lintFile(file, planted, proxy, trap.topology);
      return { lint: rulesOf(findings), prove };
    },
  };
}

function rulesOf(findings: Proof["findings"] | ReturnType<typeof lintFile>["findings"]): string[] {
  return [...new Set(findings.map(({ rule }) => rule))];
}
