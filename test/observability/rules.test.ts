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

/** Time for thirty hours of evaluations over windows of days, on a busy machine. */
const DAYS_TIMEOUT_MS = 180_000;

type Rule = {
  alert?: string;
  record?: string;
  expr?: string;
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

  // promtool starts each group with no data, so one process can run many.
  test("exactly the alerts of its condition fire in each scenario", () => {
    expect(runScenarios(scenarios, SHORT)).toEqual({ status: 0, output: "" });
  });

  test("budgets burn at their rates, over both windows", { timeout: DAYS_TIMEOUT_MS }, () => {
    expect(runScenarios(objectiveScenarios, LONG)).toEqual({ status: 0, output: "" });
  });

  test("the link to the runbook begins with what the configuration says", () => {
    const runbook = "https://wiki.example.com/RUNBOOK.md";
    const alert = {
      exp_labels: { severity: "info" },
      exp_annotations: {
        ...alerts.find((rule) => rule.alert === "Watchdog")?.annotations,
        runbook_url: `${runbook}#watchlist`,
      },
    };
    const found = runTests([
      {
        interval: "1m",
        external_labels: { runbook },
        input_series: [],
        alert_rule_test: [{ eval_time: "1m", alertname: "Watchdog", exp_alerts: [alert] }],
      },
    ]);
    expect(found).toEqual({ status: 0, output: "" });
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
  // This alert fires in every scenario.
  expect(silent).toEqual(["Watchdog"]);
});

/** The URL under which the runbook is linked. */
const headings = readFileSync("RUNBOOK.md", "utf8").matchAll(/^#+ (.+)$/gm);
const anchors = Array.from(
  headings,
  ([, heading = ""]) =>
    `{{ $externalLabels.runbook }}#${heading.toLowerCase().replaceAll(" ", "-")}`,
);

for (const { alert, expr = "", labels, annotations } of alerts) {
  test(`${alert} says what is wrong, why it matters and where to read on`, () => {
    expect(["page", "ticket", "info"]).toContain(labels?.severity);
    expect(annotations?.["summary"]).toMatch(/\S/);
    expect(annotations?.["description"]).toMatch(/\S/);
    expect(anchors).toContain(annotations?.["runbook_url"]);
  });

  test(`${alert} names in its summary what tells its instances apart`, () => {
    const summary = annotations?.["summary"] ?? "";
    expect(labelsOf(expr).filter((label) => !summary.includes(`$labels.${label}`))).toEqual([]);
  });
}

/**
 * Returns the labels of an expression's result: those it groups by, or those that a record adds.
 */
function labelsOf(expr: string): string[] {
  const [, grouped, level = ""] =
    /^[\s(]*(?:(?:abs|round)\()?\s*(?:(?:sum|max|min|group|count) by \(([^)]*)\)|([a-z_]+):)/.exec(
      expr,
    ) ?? [];
  const labels = grouped?.split(", ") ?? level.split("_");
  // A label with one value in every result distinguishes nothing; neither does a bucket's bound or
  // our own name.
  const isConstant = (label: string) => expr.includes(`${label}="`);
  return labels.filter((label) => LABELS.has(label) && !isConstant(label));
}
const LABELS = new Set(["app", "instance", "policy", "service", "surface", "track", "network"]);

/** The intervals of samples and evaluations, and the times of the checks. */
type Times = { interval: string; at: string };

const SHORT: Times = { interval: "1m", at: "30m" };
const LONG: Times = { interval: "5m", at: "30h" };

function runScenarios(all: readonly Scenario[], { interval, at }: Times) {
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
  return runTests(tests, interval);
}

function runTests(tests: readonly object[], interval = "1m") {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-rules-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "scenarios.yaml");
  writeFileSync(file, stringify({ rule_files: RULES, evaluation_interval: interval, tests }));
  const { status, output } = promtool("test", "rules", file);
  return { status, output: status === 0 ? "" : output };
}

function seriesOf({ change, without = [], isLong }: Scenario): Series {
  const base = isLong === true ? healthyLong : healthy;
  const all = Object.entries({ ...base, ...change });
  return Object.fromEntries(all.filter(([series]) => !without.includes(series)));
}
