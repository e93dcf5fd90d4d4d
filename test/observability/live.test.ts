import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type Dashboard, renderDashboard } from "../../tools/observability/dashboard.ts";
import { DASHBOARDS } from "../../tools/observability/dashboards.ts";
import { eventually } from "../fixtures/eventually.ts";
import { connect } from "../fixtures/realtime-connection.ts";
import { scrape } from "../fixtures/scrape.ts";
import { PATIENCE, type System, startSystem } from "../fixtures/services.ts";
import { type CataloguedMetric, readCatalogue, readScrape } from "./catalogue.ts";
import { type Prometheus, startPrometheus } from "./prometheus-process.ts";
import { hasProgram, titleOf } from "./prometheus-tools.ts";
import { MARKED, runSyntheticLoad, type Traces } from "./synthetic-load.ts";
import {
  isLinked,
  KIND,
  type Span,
  startTraceReceiver,
  type TraceReceiver,
} from "./trace-receiver.ts";

const SERVICES = ["auth", "limiter", "gateway"] as const;
const catalogue = readCatalogue();

/** The edge's header for the trace that it started. */
const EDGE = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };
const CLIENT = { "x-forwarded-for": "198.51.100.201" };

let stable: System;
let canary: System;
let receiver: TraceReceiver;
let traces: readonly Traces[] = [];

beforeAll(async () => {
  receiver = await startTraceReceiver();
  const environment = {
    ...PATIENCE,
    API_TRUST_PROXY_HOPS: "1",
    REALTIME_TRUST_PROXY_HOPS: "1",
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_BSP_SCHEDULE_DELAY: "100",
  };
  stable = await startSystem({ environment });
  canary = await startSystem({ environment, databaseUrl: stable.databaseUrl });
});

afterAll(async () => {
  await stable.stop();
  await canary.stop();
  receiver.stop();
});

test("one trace follows a connect from the edge to the flush that committed it", async () => {
  const { traceId, spanId } = EDGE;
  const traceparent = `00-${traceId}-${spanId}-01`;
  const connection = await connect(stable.urls.gateway, { ...CLIENT, traceparent });
  connection.close();

  const upgrade = await findSpan((span) => isLinked(span, EDGE));
  expect(upgrade).toMatchObject({
    service: "portcullis-gateway",
    name: "GET /gateway/realtime",
    kind: KIND.server,
  });
  // No client may choose the trace that we write into.
  expect(upgrade.traceId).not.toBe(traceId);
  expect(upgrade.parentSpanId ?? "").toBe("");

  const asked = await findChild(upgrade, "portcullis.limiter.v1.LimiterService/Consume");
  expect(asked).toMatchObject({ service: "portcullis-gateway", kind: KIND.client });
  const decided = await findChild(asked, "portcullis.limiter.v1.LimiterService/Consume");
  expect(decided).toMatchObject({ service: "portcullis-limiter", kind: KIND.server });

  const flush = await findSpan((span) => span.name === "flush" && isLinked(span, decided));
  expect(isLinked(decided, flush)).toBe(true);
  await findChild(flush, "lock_buckets");
  await findChild(flush, "commit");
});

test("a log line names the trace in which it was written", async () => {
  // A request without the header that the edge always sets.
  const connection = await connect(stable.urls.gateway);
  connection.close();
  const line = await eventually(() => {
    const found = stable.services.gateway
      .logs()
      .find(({ msg }) => msg?.startsWith("Security limiter warning: trust proxy hops configured"));
    expect(found).toBeDefined();
    return found;
  });
  const span = await findSpan(({ spanId }) => spanId === line?.["span_id"]);
  expect(span).toMatchObject({ traceId: line?.["trace_id"], name: "GET /gateway/realtime" });
});

describe("under a short load", () => {
  let prometheus: Prometheus | undefined;

  beforeAll(async () => {
    if (hasProgram("prometheus")) {
      prometheus = await startPrometheus(
        [stable, canary].flatMap((system, index) =>
          SERVICES.map((app) => ({
            metricsUrl: system.metricsUrls[app],
            app,
            track: index === 0 ? "stable" : "canary",
          })),
        ),
      );
    }
    traces = [await runSyntheticLoad(stable.urls), await runSyntheticLoad(canary.urls)];
    // A rate needs two scrapes with different values.
    await eventually(async () => {
      const upgrades = "sum by (track) (portcullis_realtime_upgrades_total) > 0";
      expect((await prometheus?.query(upgrades)) ?? BOTH).toHaveLength(BOTH.length);
    }, SETTLE_TIMEOUT_MS);
    const again = [await runSyntheticLoad(stable.urls), await runSyntheticLoad(canary.urls)];
    traces = [...traces, ...again];
  });

  afterAll(async () => {
    for (const { open } of traces) for (const connection of open) connection.close();
    await prometheus?.stop();
  });

  for (const service of SERVICES) {
    test(`the scrape of ${service} holds what the catalogue says, and nothing else`, async () => {
      const expected = [...catalogue].filter(([, metric]) => metric.services.includes(service));
      const scraped = readScrape((await scrape(stable.metricsUrls[service])).text);
      expect([...scraped.keys()].sort()).toEqual(expected.map(([name]) => name).sort());
      for (const [name, metric] of expected) {
        const { type, unit, labels } = scraped.get(name) ?? {};
        expect({ name, type, unit }).toEqual({ name, type: metric.type, unit: metric.unit });
        expect(missingLabels(metric, labels), name).toEqual([]);
        expect(strangeLabels(metric, labels), name).toEqual([]);
      }
    });
  }

  test("no address, key, account or token is in a scrape, a trace or a log", async () => {
    // The spans of the load have arrived.
    await findSpan(({ name }) => name === "portcullis.realtime.v1.PublishService/Publish");
    const secrets = [...Object.values(MARKED), ...traces.flatMap(({ issued }) => issued)];
    const places = new Map([["traces", receiver.text()]]);
    for (const [index, system] of [stable, canary].entries()) {
      for (const service of SERVICES) {
        const { text } = await scrape(system.metricsUrls[service]);
        places.set(`scrape of ${service} ${index}`, text);
        places.set(`log of ${service} ${index}`, system.services[service].output().join("\n"));
      }
    }
    for (const [place, text] of places) {
      expect(text.length, place).toBeGreaterThan(0);
      expect(
        secrets.filter((secret) => text.includes(secret)),
        place,
      ).toEqual([]);
    }
  });

  describe.skipIf(!hasProgram("prometheus"))(titleOf("Prometheus", ["prometheus"]), () => {
    test("every target is scraped and every rule evaluates", async () => {
      const rules = await eventually(async () => {
        expect(await query('count(up{job="portcullis"} == 1)')).toMatchObject([{ value: 6 }]);
        const health = (await prometheus?.ruleHealth()) ?? [];
        expect(health.filter((rule) => rule.health === "unknown")).toEqual([]);
        return health;
      }, SETTLE_TIMEOUT_MS);
      expect(rules.filter(({ health }) => health !== "ok")).toEqual([]);
      expect(rules.length).toBeGreaterThan(50);
    });

    for (const { dashboard, panel, expr } of queriesOfPanels()) {
      test(`${dashboard}, ${panel}: ${expr}`, async () => {
        await eventually(async () => {
          const samples = await query(expr.replaceAll("$__rate_interval", "1m"));
          expect(samples.filter(({ value }) => Number.isFinite(value))).not.toEqual([]);
        }, PANEL_TIMEOUT_MS);
      });
    }

    const query = async (expr: string) => (await prometheus?.query(expr)) ?? [];
  });
});

test("every metric that a rule or a panel names is in the catalogue, or recorded by a rule", () => {
  const rules = readdirSync("deploy/prometheus/rules").flatMap(
    (file) =>
      (
        parse(readFileSync(`deploy/prometheus/rules/${file}`, "utf8")) as {
          groups: Array<{ rules: Array<{ record?: string; expr: string }> }>;
        }
      ).groups,
  );
  const all = rules.flatMap((group) => group.rules);
  const recorded = all.flatMap(({ record }) => record ?? []);
  const expressions = [
    ...all.map(({ expr }) => expr),
    ...queriesOfPanels().map(({ expr }) => expr),
  ];
  const named = new Set(expressions.flatMap(metricsNamed));
  expect(named.size).toBeGreaterThan(20);
  const known = new Set([...recorded, ...catalogue.keys(), "up", "ALERTS", "ALERTS_FOR_STATE"]);
  expect([...named].filter((name) => !known.has(name.replace(/_(bucket|sum|count)$/, "")))).toEqual(
    [],
  );
});

for (const [name, dashboard] of Object.entries(DASHBOARDS)) {
  test(`${name}.json is what tools/observability makes`, () => {
    const file = readFileSync(`deploy/grafana/dashboards/${name}.json`, "utf8");
    expect(JSON.parse(file)).toEqual(renderDashboard(dashboard));
  });
}

test("every panel that links to the runbook links to a section of it", () => {
  const headings = readFileSync("RUNBOOK.md", "utf8").matchAll(/^#+ (.+)$/gm);
  const anchors = Array.from(headings, ([, heading = ""]) =>
    heading.toLowerCase().replaceAll(" ", "-"),
  );
  const linked = panels().flatMap(({ runbook }) => runbook ?? []);
  expect(linked.length).toBeGreaterThan(10);
  expect(linked.filter((anchor) => !anchors.includes(anchor))).toEqual([]);
});

test("every stat has colours for good and bad, and every dashboard leads to the others", () => {
  for (const [name, dashboard] of Object.entries(DASHBOARDS)) {
    const text = JSON.stringify(renderDashboard(dashboard));
    const { links, panels: rendered }: RenderedDashboard = JSON.parse(text);
    expect(
      links.map(({ type }) => type),
      name,
    ).toEqual(["dashboards", "link"]);
    const stats = rendered.filter(({ type }) => type === "stat");
    for (const { fieldConfig } of stats) {
      const colors = fieldConfig?.defaults.thresholds?.steps.map(({ color }) => color);
      expect(new Set(colors).size, name).toBeGreaterThan(1);
    }
  }
});

type Steps = { steps: Array<{ color: string }> };
type RenderedDashboard = {
  links: Array<{ type: string }>;
  panels: Array<{ type: string; fieldConfig?: { defaults: { thresholds?: Steps } } }>;
};

test("the collector's pipelines consist of what it configures", () => {
  const { service, extensions, ...components } = parse(
    readFileSync("deploy/otel-collector.yaml", "utf8"),
  ) as Record<"receivers" | "processors" | "exporters" | "extensions", object> & {
    service: {
      extensions: string[];
      pipelines: Record<string, Record<"receivers" | "processors" | "exporters", string[]>>;
    };
  };
  expect(service.extensions).toEqual(Object.keys(extensions));
  for (const kind of ["receivers", "processors", "exporters"] as const) {
    const used = Object.values(service.pipelines).flatMap((pipeline) => pipeline[kind]);
    expect(new Set(used), kind).toEqual(new Set(Object.keys(components[kind])));
  }
});

/** The tracks. */
const BOTH = ["stable", "canary"];
/** Time until the rules have been evaluated over the load. */
const SETTLE_TIMEOUT_MS = 20_000;
/** The rules have settled by then; a panel without data now would stay empty. */
const PANEL_TIMEOUT_MS = 3_000;
const SPAN_TIMEOUT_MS = 10_000;

async function findSpan(matches: (span: Span) => boolean): Promise<Span> {
  return await eventually(() => {
    const found = receiver.spans().find(matches);
    if (found === undefined) throw new Error("no such span has arrived");
    return found;
  }, SPAN_TIMEOUT_MS);
}

async function findChild({ traceId, spanId }: Span, name: string): Promise<Span> {
  return await findSpan(
    (span) => span.name === name && span.traceId === traceId && span.parentSpanId === spanId,
  );
}

type Seen = ReadonlyMap<string, ReadonlySet<string>> | undefined;

/** Returns labels that the catalogue promises and the scrape lacks. */
function missingLabels(metric: CataloguedMetric, seen: Seen): string[] {
  const required = Object.entries(metric.labels).filter(
    ([, rule]) => !("optional" in rule && rule.optional),
  );
  return required.map(([name]) => name).filter((name) => !seen?.has(name));
}

/** Returns labels, or values of labels, that the catalogue does not list. */
function strangeLabels(metric: CataloguedMetric, seen: Seen): string[] {
  return [...(seen ?? [])].flatMap(([name, values]) => {
    const rule = metric.labels[name];
    if (rule === undefined) return [name];
    if ("bounded" in rule) return [];
    return [...values].filter((value) => !rule.includes(value)).map((value) => `${name}=${value}`);
  });
}

function panels() {
  const all: readonly Dashboard[] = Object.values(DASHBOARDS);
  return all.flatMap(({ title, rows }) =>
    rows.flatMap((row) => row.panels.map((panel) => ({ ...panel, dashboard: title }))),
  );
}

function queriesOfPanels() {
  return panels().flatMap(({ dashboard, title, queries }) =>
    queries.map(({ expr }) => ({ dashboard, panel: title, expr })),
  );
}

/** Returns the metrics of an expression: what remains without labels, functions and texts. */
function metricsNamed(expr: string): string[] {
  const bare = expr
    .replace(/"[^"]*"/g, "")
    .replace(/\{[^}]*\}/g, "")
    .replace(/\b(by|on|ignoring|group_left)\s*\([^)]*\)/g, "")
    .replace(/\[[^\]]*\]/g, "");
  const words = bare.match(/[a-zA-Z_][\w:]*(?!\s*\(|[\w:])/g) ?? [];
  return words.filter((word) => /[_:]/.test(word) || word === "up" || word === "ALERTS");
}
