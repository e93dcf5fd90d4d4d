import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect } from "vitest";
import { startChild } from "../../tools/up/child.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { eventually } from "../fixtures/eventually.ts";
import type { PerService } from "../fixtures/services.ts";

const HINT = 'prometheus is not installed here: "apt-get install prometheus" brings it';
const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 5_000;

/** Whether tests with Prometheus can run; in CI a missing one is a failure. */
export function canRunPrometheus(): boolean {
  if (spawnSync("prometheus", ["--version"], { stdio: "ignore" }).error === undefined) return true;
  if (process.env["CI"] === "true") throw new Error(HINT);
  process.stderr.write(`skipped: ${HINT}\n`);
  return false;
}

/** Starts a real Prometheus that scrapes the services every second, with the alerts that we ship. */
export async function startPrometheus(metricsUrls: PerService) {
  const directory = mkdtempSync(join(tmpdir(), "portcullis-judge-prometheus-"));
  const targets = Object.values(metricsUrls).map((url) => JSON.stringify(new URL(url).host));
  const configFile = join(directory, "prometheus.yml");
  writeFileSync(
    configFile,
    `global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
rule_files: ["${resolve("deploy/prometheus/rules/alerts.yaml")}"]
scrape_configs:
  - job_name: portcullis
    static_configs: [{ targets: [${targets.join(", ")}], labels: { track: canary } }]
`,
  );
  const url = `http://127.0.0.1:${await findFreePort()}`;
  const child = await startChild({
    name: "prometheus",
    command: "prometheus",
    arguments: [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(directory, "data")}`,
      `--web.listen-address=${new URL(url).host}`,
    ],
    environment: { PATH: process.env["PATH"] },
    onLine: () => undefined,
  });
  await eventually(
    async () => expect((await fetch(`${url}/-/ready`)).status).toBe(200),
    START_TIMEOUT_MS,
  );
  return {
    url,
    async stop() {
      await child.stop(STOP_TIMEOUT_MS);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
