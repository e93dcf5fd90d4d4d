import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse, stringify } from "yaml";
import { hasProgram, promtool, titleOf } from "./prometheus-tools.ts";
import {
  healthy,
  healthyLong,
  objectiveScenarios,
  type Scenario,
  type Series,
  scenarios,
} from "./rule-scenarios.ts";

const FOLDER = resolve("deploy/prometheus");
const RULES = readdirSync(join(FOLDER, "rules")).map((file) => join(FOLDER, "rules", file));

/** Thirty hours of evaluations over windows of days, on a busy machine. */
const DAYS_TIMEOUT_MS = 180_000;

type Rule = {
  alert?: string;
  record?: string;
  labels?: { severity?: string };
  annotations?: Record<string, string>;
};
type RuleFile = { groups: Array<{ name: string; rules: Rule[] }> };

const alerts = RULES.flatMap((file) => (parse(readFileSync(file, "utf8")) as RuleFile).groups)
  .flatMap(({ rules }) => rules)
  .filter(({ alert }) => alert !== undefined);

describe.skipIf(!hasProgram("promtool"))(titleOf("Prometheus rules", ["promtool"]), () => {
  test("the configuration and every rule parse", () => {
    const checked = promtool("check", "config", join(FOLDER, "prometheus.yml"));
    expect(checked).toMatchObject({ status: 0 });
  });

  // Each group of promtool starts from nothing, so that one process can run many.
  test("exactly the alerts of its condition fire in each scenario", () => {
    expect(runScenarios(scenarios, SHORT)).toEqual({ status: 0, output: "" });
  });

  test("budgets burn at their rates, over both windows", { timeout: DAYS_TIMEOUT_MS }, () => {
    expect(runScenarios(objectiveScenarios, LONG)).toEqual({ status: 0, output: "" });
  });

  test("a scenario in which an alert is missing fails", () => {
    const [quiet] = scenarios;
    const wrong = [{ ...quiet, name: "wrong", alerts: ["HeapHigh"], change: {} }];
    expect(runScenarios(wrong, SHORT)).toMatchObject({ status: 1 });
  });
});

test("every alert fires in some scenario", () => {
  const fired = new Set([...scenarios, ...objectiveScenarios].flatMap((one) => one.alerts));
  const silent = alerts.map(({ alert }) => alert).filter((alert) => !fired.has(alert ?? ""));
  // It fires in every one.
  expect(silent).toEqual(["Watchdog"]);
});

/** Where the runbook can be linked to. */
const headings = readFileSync("RUNBOOK.md", "utf8").matchAll(/^#+ (.+)$/gm);
const anchors = Array.from(
  headings,
  ([, heading = ""]) => `RUNBOOK.md#${heading.toLowerCase().replaceAll(" ", "-")}`,
);

for (const { alert, labels, annotations } of alerts) {
  test(`${alert} says what is wrong, why it matters and where to read on`, () => {
    expect(["page", "ticket", "info"]).toContain(labels?.severity);
    expect(annotations?.["summary"]).toMatch(/\S/);
    expect(annotations?.["description"]).toMatch(/\S/);
    expect(anchors).toContain(annotations?.["runbook_url"]);
  });
}

/** How often there is a sample and an evaluation, and when to look. */
type Times = { interval: string; at: string };

const SHORT: Times = { interval: "1m", at: "30m" };
const LONG: Times = { interval: "5m", at: "30h" };

function runScenarios(all: readonly Scenario[], { interval, at }: Times) {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-rules-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "scenarios.yaml");
  const tests = all.map((scenario) => ({
    interval,
    name: scenario.name,
    input_series: Object.entries(seriesOf(scenario)).map(([series, values]) => ({
      series,
      values,
    })),
    promql_expr_test: [
      {
        expr: 'group by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: at,
        exp_samples: [...scenario.alerts, "Watchdog"].map((alert) => ({
          labels: `{alertname="${alert}"}`,
          value: 1,
        })),
      },
    ],
  }));
  writeFileSync(file, stringify({ rule_files: RULES, evaluation_interval: interval, tests }));
  const { status, output } = promtool("test", "rules", file);
  return { status, output: status === 0 ? "" : output };
}

function seriesOf({ change, without = [], isLong }: Scenario): Series {
  const base = isLong === true ? healthyLong : healthy;
  const all = Object.entries({ ...base, ...change });
  return Object.fromEntries(all.filter(([series]) => !without.includes(series)));
}
