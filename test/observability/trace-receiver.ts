import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { isDeepStrictEqual } from "node:util";

type Attribute = { key: string; value: { stringValue?: string; intValue?: number | string } };

/** A span in OTLP's JSON, and the service that sent it. */
export type Span = {
  service: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  links?: ReadonlyArray<{ traceId: string; spanId: string }>;
  attributes?: readonly Attribute[];
};

/** The kinds of spans in OTLP. */
export const KIND = { internal: 1, server: 2, client: 3 } as const;

export type TraceReceiver = {
  /** The value of OTEL_EXPORTER_OTLP_ENDPOINT. */
  url: string;
  spans(): readonly Span[];
  /** The received requests, unchanged. */
  text(): string;
  stop(): void;
};

type Payload = {
  resourceSpans?: ReadonlyArray<{
    resource: { attributes: readonly Attribute[] };
    scopeSpans: ReadonlyArray<{ spans: ReadonlyArray<Omit<Span, "service">> }>;
  }>;
};

/** Receives OTLP over HTTP like a collector, and keeps all of it. */
export async function startTraceReceiver(): Promise<TraceReceiver> {
  const texts: string[] = [];
  const spans: Span[] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const piece of request) text += piece;
    texts.push(text);
    spans.push(...readSpans(JSON.parse(text) as Payload));
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    spans: () => spans,
    text: () => texts.join("\n"),
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function readSpans({ resourceSpans = [] }: Payload): Span[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const name = resource.attributes.find(({ key }) => key === "service.name");
    const service = name?.value.stringValue ?? "";
    return scopeSpans.flatMap((scope) => scope.spans.map((span) => ({ service, ...span })));
  });
}

/** Whether a span has a link to another. */
export function isLinked(from: Span, to: Pick<Span, "traceId" | "spanId">): boolean {
  const { traceId, spanId } = to;
  const links = from.links ?? [];
  return links.some((link) =>
    isDeepStrictEqual({ traceId: link.traceId, spanId: link.spanId }, { traceId, spanId }),
  );
}
