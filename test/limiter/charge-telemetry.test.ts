import { metrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { afterEach, expect, test } from "vitest";
import { createLimiters } from "./limiter-under-test.ts";

const stops: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

test("charge() counts rows that are not as known as an answer, not as a failure", async () => {
  const { replicas, operations } = await setup();
  const wish = { policy: "bucket", key: "k" };
  for (const index of [0, 0, 1, 0]) await replicas[index]?.consume([wish]);
  const charges = (await operations()).filter(
    (attributes) => attributes["db.operation.name"] === "charge_known",
  );
  expect(charges).not.toEqual([]);
  expect(charges.filter((attributes) => attributes["error.type"] !== undefined)).toEqual([]);
  const names = (await operations()).map((attributes) => attributes["db.operation.name"]);
  expect(names).not.toContain("roll_back");
});

async function setup() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  metrics.setGlobalMeterProvider(provider);
  const { replicas, stop } = await createLimiters({
    kind: "postgres",
    policies: { bucket: { key: "text", algorithm: "token_bucket", limit: 100, period: "1d" } },
    replicas: 2,
  });
  stops.push(stop, async () => await provider.shutdown());
  return {
    replicas,
    /** The attributes of every kind of database operation so far. */
    async operations() {
      exporter.reset();
      await reader.forceFlush();
      return exporter
        .getMetrics()
        .flatMap(({ scopeMetrics }) => scopeMetrics)
        .flatMap(({ metrics: all }) => all)
        .filter(({ descriptor }) => descriptor.name === "db.client.operation.duration")
        .flatMap(({ dataPoints }) => dataPoints.map(({ attributes }) => attributes));
    },
  };
}
