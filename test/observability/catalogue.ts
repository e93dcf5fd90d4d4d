import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { ServiceName } from "../fixtures/service-process.ts";

/** The values that a label can have, or their bound. */
export type LabelRule = readonly string[] | { bounded: string; optional?: boolean };

export type CataloguedMetric = {
  type: "counter" | "gauge" | "histogram";
  unit: string;
  services: readonly ServiceName[];
  labels: Readonly<Record<string, LabelRule>>;
  meaning: string;
};

/** A metric on a scrape. */
export type ScrapedMetric = {
  type: string;
  unit: string;
  /** The values found, by label. */
  labels: ReadonlyMap<string, ReadonlySet<string>>;
};

/** Reads the catalogue, by the names on a scrape. */
export function readCatalogue(): ReadonlyMap<string, CataloguedMetric> {
  const { metrics } = parse(readFileSync("deploy/metrics.yaml", "utf8")) as {
    metrics: Record<string, CataloguedMetric>;
  };
  return new Map(
    Object.entries(metrics).map(([name, metric]) => {
      const suffix = metric.type === "counter" ? "_total" : "";
      return [`${scraped(name)}${suffix}`, { ...metric, labels: scrapedLabels(metric.labels) }];
    }),
  );
}

function scrapedLabels(labels: CataloguedMetric["labels"]): CataloguedMetric["labels"] {
  return Object.fromEntries(Object.entries(labels).map(([name, rule]) => [scraped(name), rule]));
}

function scraped(name: string): string {
  return name.replaceAll(".", "_");
}

/** Reads the metrics of a scrape, by name; the parts of a histogram are one metric. */
export function readScrape(text: string): ReadonlyMap<string, ScrapedMetric> {
  const metrics = new Map<
    string,
    { type: string; unit: string; labels: Map<string, Set<string>> }
  >();
  const units = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, comment, named = "", rest = ""] = /^# (TYPE|UNIT) (\S+) (.*)$/.exec(line) ?? [];
    if (comment === "UNIT") units.set(named, rest);
    if (comment === "TYPE") {
      metrics.set(named, { type: rest, unit: units.get(named) ?? "1", labels: new Map() });
    }
    const [, name, labels = ""] = /^([a-zA-Z_]\w*)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    if (name === undefined) continue;
    const metric = metrics.get(name) ?? metrics.get(name.replace(/_(bucket|sum|count)$/, ""));
    if (metric === undefined) throw new Error(`${name} has no type`);
    for (const [, label = "", value = ""] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      if (label === "le" && metric.type === "histogram") continue;
      const values = metric.labels.get(label) ?? new Set();
      metric.labels.set(label, values.add(value));
    }
  }
  return metrics;
}
