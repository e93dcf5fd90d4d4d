import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type Child, startChild } from "../../tools/up/child.ts";
import { findFreePort } from "../../tools/up/free-port.ts";
import { eventually } from "../fixtures/eventually.ts";
import { hasProgram, titleOf } from "./prometheus-tools.ts";
import { DATABASE_OUTAGE } from "./rule-scenarios.ts";

const CONFIG = "deploy/alertmanager/alertmanager.yml";
const RULES = "deploy/prometheus/rules";
const PROGRAMS = ["amtool", "prometheus-alertmanager"] as const;
const READY_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 5_000;

type Labels = Readonly<Record<string, string>>;
type Rule = { alert?: string; labels?: { severity: string } };

const rules = readdirSync(RULES).flatMap((file) => {
  const { groups }: { groups: Array<{ rules: Rule[] }> } = parse(
    readFileSync(join(RULES, file), "utf8"),
  );
  return groups.flatMap((group) => group.rules);
});
const severities = new Map(
  rules.flatMap(({ alert, labels }) => (alert && labels ? [[alert, labels.severity]] : [])),
);

const API = { surface: "api" };
const REALTIME = { surface: "realtime" };
const BURNS = ["BurnsFast", "BurnsSteadily", "BurnsSlowly", "Erodes"];
const burning = BURNS.flatMap((level): Labels[] => [
  { alertname: `DecisionBudget${level}`, ...API },
  { alertname: `DecisionBudget${level}`, ...REALTIME },
  { alertname: `UpgradeBudget${level}` },
]);
const undecided: Labels[] = [
  ...burning,
  { alertname: "RequestsFailClosed", ...API, policy: "login.ip" },
  { alertname: "RequestsFailClosed", ...API, policy: "mint.user" },
  { alertname: "RequestsFailClosed", ...REALTIME, policy: "realtime.connect.ip" },
  { alertname: "CanaryFailsClosed", ...API },
  { alertname: "LoginsUnavailable" },
  { alertname: "AuthUnavailable", track: "canary", rpc_response_status_code: "unavailable" },
  { alertname: "UpgradesServerErrors", track: "canary", status: "503" },
];

/** A fault, all alerts that fire for it, and the alerts left after inhibition, by severity. */
const OUTAGES: ReadonlyArray<{ name: string; firing: readonly Labels[]; told: readonly string[] }> =
  [
    {
      name: "one database outage is one page",
      firing: [
        ...undecided,
        ...DATABASE_OUTAGE.map((alertname) => ({ alertname })),
        { alertname: "DatabaseErrors", app: "limiter" },
        { alertname: "RevocationsLate", instance: "gateway:9466" },
        { alertname: "LimiterOverloaded", instance: "limiter:9465" },
        { alertname: "LimiterSlow", track: "stable" },
      ],
      told: ["page DatabaseDown"],
    },
    {
      name: "a limiter that is gone is one page",
      firing: [
        ...undecided,
        { alertname: "ServiceDown", app: "limiter", instance: "limiter:9465" },
        { alertname: "ServicesMissing", app: "limiter" },
      ],
      told: ["page ServicesMissing"],
    },
    {
      name: "requests that nobody decides are one page while the cause is not known",
      firing: undecided.filter(
        ({ alertname }) => !/Logins|Auth|Upgrades|Canary/.test(alertname ?? ""),
      ),
      told: ["page DecisionBudgetBurnsFast"],
    },
    {
      name: "too few hops are one page, not each of their effects",
      firing: [
        "ClientsCollapsed",
        "TopKeyShareHigh",
        "ClientKeysCollapse",
        "ClientsLookLikeProxies",
      ]
        .map((alertname): Labels => ({ alertname, service: "auth", track: "canary" }))
        .concat({ alertname: "RejectionsHigh", ...API, track: "canary" }),
      told: ["page ClientsCollapsed"],
    },
    {
      name: "what is another service's or another surface's is still told",
      firing: [
        { alertname: "ClientsCollapsed", service: "auth", track: "stable" },
        { alertname: "TopKeyShareHigh", service: "gateway", track: "canary" },
        { alertname: "FailOpenInForce", ...API },
        { alertname: "DecisionBudgetBurnsFast", ...REALTIME },
        { alertname: "HeapHigh", app: "auth" },
      ],
      told: [
        "page ClientsCollapsed",
        "page DecisionBudgetBurnsFast",
        "page FailOpenInForce",
        "page TopKeyShareHigh",
        "ticket HeapHigh",
      ],
    },
  ];

describe.skipIf(PROGRAMS.some((name) => !hasProgram(name)))(
  titleOf("Alertmanager", PROGRAMS),
  () => {
    let child: Child;
    let url: string;
    let folder: string;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), "portcullis-alertmanager-"));
      const address = `127.0.0.1:${await findFreePort()}`;
      url = `http://${address}`;
      child = await startChild({
        name: "alertmanager",
        command: "prometheus-alertmanager",
        arguments: [
          `--config.file=${CONFIG}`,
          `--storage.path=${folder}`,
          `--web.listen-address=${address}`,
          "--cluster.listen-address=",
        ],
        environment: { PATH: process.env["PATH"] },
        onLine: () => undefined,
      });
      await eventually(async () => {
        expect((await fetch(`${url}/-/ready`)).status).toBe(200);
      }, READY_TIMEOUT_MS);
    });
    afterAll(async () => {
      await child.stop(STOP_TIMEOUT_MS);
      rmSync(folder, { recursive: true, force: true });
    });

    test("the configuration is valid", () => {
      expect(amtool("check-config", CONFIG)).toContain("SUCCESS");
    });

    for (const { severity, receiver } of [
      { severity: "page", receiver: "pager" },
      { severity: "ticket", receiver: "tickets" },
      { severity: "info", receiver: "record" },
    ]) {
      test(`${severity} goes to ${receiver}, and the Watchdog to the dead man's switch`, () => {
        const routes = ["config", "routes", "test", `--config.file=${CONFIG}`];
        expect(amtool(...routes, `severity=${severity}`, "alertname=Any").trim()).toBe(receiver);
        expect(amtool(...routes, "severity=info", "alertname=Watchdog").trim()).toBe("dead-man");
      });
    }

    for (const { name, firing, told } of OUTAGES) {
      test(name, async () => {
        // A label separates the outages, so that none sees the alerts of another.
        const outage = { outage: name.replaceAll(/\W+/g, "-") };
        for (const labels of firing) await fire({ ...labels, ...outage });
        await eventually(async () => expect(await findTold(outage)).toEqual(told));
        await resolve(firing.map((labels) => ({ ...labels, ...outage })));
      });
    }

    const withSeverity = (labels: Labels) => ({
      severity: severities.get(labels["alertname"] ?? "") ?? "unknown",
      ...labels,
    });
    const fire = async (labels: Labels) => await send([labels], new Date(Date.now() + 600_000));
    const resolve = async (all: readonly Labels[]) => await send(all, new Date());
    const send = async (all: readonly Labels[], endsAt: Date) => {
      const startsAt = new Date(Date.now() - 60_000);
      const alerts = all.map((labels) => ({ labels: withSeverity(labels), startsAt, endsAt }));
      const { status } = await fetch(`${url}/api/v2/alerts`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(alerts),
      });
      expect(status).toBe(200);
    };
    /** Returns the alerts that nothing inhibits, as whoever is on call receives them. */
    const findTold = async (outage: Labels) => {
      const filter = Object.entries(outage).map(([name, value]) => `${name}=${value}`);
      const query = ["alert", "query", "--active", "--output=json", ...filter];
      const found: Array<{ labels: Labels }> = JSON.parse(
        amtool(`--alertmanager.url=${url}`, ...query),
      );
      const texts = found.map(({ labels }) => `${labels["severity"]} ${labels["alertname"]}`);
      return [...new Set(texts)].sort();
    };
  },
);

test("every alert that a rule of inhibition names exists, and a ticket silences no page", () => {
  const { inhibit_rules }: { inhibit_rules: InhibitRule[] } = parse(readFileSync(CONFIG, "utf8"));
  for (const { source_matchers, target_matchers } of inhibit_rules) {
    const sources = namesMatching(source_matchers);
    const targets = namesMatching(target_matchers);
    expect(sources.length, source_matchers.join()).toBeGreaterThan(0);
    expect(targets.length, target_matchers.join()).toBeGreaterThan(0);
    const isTicket = sources.some((name) => severities.get(name) !== "page");
    const pages = targets.filter((name) => severities.get(name) === "page");
    expect(isTicket ? pages : [], source_matchers.join()).toEqual([]);
  }
});

type InhibitRule = { source_matchers: string[]; target_matchers: string[] };

function namesMatching(matchers: readonly string[]): string[] {
  const [, pattern = ""] = /alertname=~?"([^"]*)"/.exec(matchers.join()) ?? [];
  const wanted = new RegExp(`^(?:${pattern})$`);
  return [...severities.keys()].filter((name) => wanted.test(name));
}

function amtool(...parameters: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync("amtool", parameters, { encoding: "utf8" });
  if (status !== 0) throw new Error(`amtool ${parameters.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}
