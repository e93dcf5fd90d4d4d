import { createServer, type Server } from "node:http";
import { type ContextManager, ROOT_CONTEXT } from "@opentelemetry/api";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { RuntimeNodeInstrumentation } from "@opentelemetry/instrumentation-runtime-node";
import { PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { NodeSDK, resources, tracing } from "@opentelemetry/sdk-node";
import type { Environment } from "./env.ts";
import { observeProcess } from "./process-metrics.ts";

export type Telemetry = { stop(): Promise<void> };

/** Bounds the last export. Without a reachable collector the SDK would wait much longer. */
const STOP_TIMEOUT_MS = 1_000;

/**
 * Starts the OpenTelemetry SDK and a Prometheus endpoint. Call it before importing anything that is
 * to be measured. OTEL_* variables configure the rest: OTLP export starts when an endpoint for it
 * is set, and OTEL_SDK_DISABLED=true turns everything off.
 */
export async function startTelemetry(options: {
  service: string;
  host: string;
  port: number;
  environment: Environment;
  /** As in `runService`. */
  followsCalls: boolean;
}): Promise<Telemetry> {
  const { environment } = options;
  if (environment["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") return { stop: async () => {} };
  const prometheus = new PrometheusExporter({
    preventServerStart: true,
    withoutScopeInfo: true,
  });
  const sendsTraces = hasEndpoint(environment, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
  const sendsMetrics = hasEndpoint(environment, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT");
  const sdk = new NodeSDK({
    serviceName: environment["OTEL_SERVICE_NAME"] ?? `portcullis-${options.service}`,
    // Other detectors would show the process's command line, owner and host in every scrape.
    ...(environment["OTEL_NODE_RESOURCE_DETECTORS"] === undefined && {
      resourceDetectors: [resources.envDetector],
    }),
    metricReaders: [
      prometheus,
      ...(sendsMetrics
        ? [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter() })]
        : []),
    ],
    // Without a collector spans are not recorded, but still have ids, which logs carry. Without any
    // processor the SDK would create no spans at all.
    ...(!sendsTraces && { sampler: new tracing.AlwaysOffSampler() }),
    ...(!sendsTraces && !options.followsCalls && { contextManager: noContext }),
    spanProcessors: [
      sendsTraces ? new tracing.BatchSpanProcessor(new OTLPTraceExporter()) : discardSpans,
    ],
    logRecordProcessors: [],
    instrumentations: [new RuntimeNodeInstrumentation()],
  });
  sdk.start();
  observeProcess();
  const server = await listen(prometheus, options.host, options.port);
  return {
    async stop() {
      server.close();
      server.closeAllConnections();
      const timeout = new Promise((resolve) => setTimeout(resolve, STOP_TIMEOUT_MS).unref());
      await Promise.race([sdk.shutdown().catch(() => undefined), timeout]);
    },
  };
}

/** Tracks no calls: the root context is always active. */
const noContext: ContextManager = {
  active: () => ROOT_CONTEXT,
  with: (_context, call, thisArg, ...values) => call.call(thisArg as never, ...values),
  bind: (_context, target) => target,
  enable: () => noContext,
  disable: () => noContext,
};

const discardSpans: tracing.SpanProcessor = {
  onStart() {},
  onEnd() {},
  forceFlush: async () => {},
  shutdown: async () => {},
};

function hasEndpoint(environment: Environment, specific: string): boolean {
  return Boolean(environment[specific] ?? environment["OTEL_EXPORTER_OTLP_ENDPOINT"]);
}

/** Serves `GET /metrics`; rejects when the port is taken, which the exporter's own server hides. */
async function listen(exporter: PrometheusExporter, host: string, port: number): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url === "/metrics") return exporter.getMetricsRequestHandler(request, response);
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, resolve);
  });
  server.unref();
  return server;
}
