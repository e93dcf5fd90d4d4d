import { Agent } from "node:http";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { LimiterService } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { createClientTelemetryInterceptor } from "../../services/runtime/interceptors.ts";
import type { Secret } from "../../services/runtime/secret.ts";

/** Sockets kept to one limiter: the calls that may be under way, and refunds beside them. */
const SOCKETS_MAX = 32;

/** A Connect client that authenticates itself and carries the trace of whoever calls. */
export function createTransport(options: { url: string; token: Secret }): {
  client: Client<typeof LimiterService>;
  close(): void;
} {
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX });
  const sign: Interceptor = (next) => async (request) => {
    request.header.set("authorization", `Bearer ${options.token.reveal()}`);
    return await next(request);
  };
  const transport = createConnectTransport({
    baseUrl: options.url,
    httpVersion: "1.1",
    useBinaryFormat: true,
    interceptors: [createClientTelemetryInterceptor(), sign],
    nodeOptions: { agent },
  });
  return { client: createClient(LimiterService, transport), close: () => agent.destroy() };
}
