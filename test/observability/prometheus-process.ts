import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { startChild } from "../../tools/up/child.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { eventually } from "../fixtures/eventually.ts";

/** One series of an instant query. */
export type Sample = { metric: Readonly<Record<string, string>>; value: number };

export type Prometheus = {
  /** Evaluates an expression now; rejects if it does not parse. */
  query(expr: string): Promise<Sample[]>;
  /** Returns the health of every rule, by name. */
  ruleHealth(): Promise<ReadonlyArray<{ name: string; health: string; lastError?: string }>>;
  stop(): Promise<void>;
};

export type Target = { metricsUrl: string; app: string; track: string };

const FOLDER = "deploy/prometheus";
const STOP_TIMEOUT_MS = 5_000;
const READY_TIMEOUT_MS = 20_000;

/** Runs a real Prometheus with our own configuration and shorter intervals, on these targets. */
export async function startPrometheus(targets: readonly Target[]): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-prometheus-"));
  cpSync(FOLDER, folder, { recursive: true });
  rmSync(join(folder, "targets"), { recursive: true });
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const config = parse(readFileSync(join(FOLDER, "prometheus.yml"), "utf8")) as {
    global: object;
    scrape_configs: Array<{ job_name: string }>;
    alerting?: object;
  };
  // No alert may leave this machine.
  delete config.alerting;
  config.global = { scrape_interval: "1s", evaluation_interval: "1s" };
  config.scrape_configs = config.scrape_configs.filter((job) => job.job_name === "portcullis");
  writeFileSync(join(folder, "prometheus.yml"), stringify(config));
  cpSync(join(FOLDER, "targets"), join(folder, "targets"), { recursive: true });
  writeFileSync(
    join(folder, "targets", "stable.yaml"),
    stringify(
      targets.map(({ metricsUrl, app, track }) => ({
        targets: [new URL(metricsUrl).host],
        labels: { app, track },
      })),
    ),
  );
  const child = await startChild({
    name: "prometheus",
    command: "prometheus",
    arguments: [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=warn",
    ],
    environment: { PATH: process.env["PATH"] },
    onLine: () => undefined,
  });
  await eventually(async () => {
    const { ok } = await fetch(`${url}/-/ready`);
    if (!ok) throw new Error("Prometheus is not ready");
  }, READY_TIMEOUT_MS);
  return {
    async query(expr) {
      const body = new URLSearchParams({ query: expr });
      const response = await fetch(`${url}/api/v1/query`, { method: "POST", body });
      const answer = (await response.json()) as QueryAnswer;
      if (answer.status !== "success") throw new Error(`${answer.error}: ${expr}`);
      return answer.data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
    },
    async ruleHealth() {
      const answer = (await (await fetch(`${url}/api/v1/rules`)).json()) as RulesAnswer;
      return answer.data.groups.flatMap(({ rules }) => rules);
    },
    async stop() {
      await child.stop(STOP_TIMEOUT_MS);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

type QueryAnswer = {
  status: string;
  error?: string;
  data: { result: Array<{ metric: Record<string, string>; value: [number, string] }> };
};

type RulesAnswer = {
  data: {
    groups: Array<{ rules: Array<{ name: string; health: string; lastError?: string }> }>;
  };
};
