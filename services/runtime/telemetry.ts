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

/** Without a reachable collector the SDK would wait for its last export much longer. */
const STOP_TIMEOUT_MS = 1_000;

/**
 * Starts the OpenTelemetry SDK and a Prometheus endpoint. Must run before anything that is to be
 * measured is imported. Beyond the endpoint it is configured only by OTEL_* variables: OTLP export
 * starts when an endpoint for it is set, and with OTEL_SDK_DISABLED=true there is nothing at all.
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
    // Others would show the command line, the owner and the host of the process to whoever scrapes.
    ...(environment["OTEL_NODE_RESOURCE_DETECTORS"] === undefined && {
      resourceDetectors: [resources.envDetector],
    }),
    metricReaders: [
      prometheus,
      ...(sendsMetrics
        ? [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter() })]
        : []),
    ],
    // Without a collector spans are not recorded, but still have ids, which logs carry. A processor
    // there must be: without any there would be no spans at all.
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

/** Every call is at the root. */
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
