import { Agent } from "node:http";
import { Agent as TlsAgent } from "node:https";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { LimiterService } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { createClientTelemetryInterceptor } from "../../services/runtime/interceptors.ts";
import type { Secret } from "../../services/runtime/secret.ts";

/** More than the calls that may be in flight (28 consumes, 14 others): none waits for a socket. */
const SOCKETS_MAX = 48;

/** Creates a Connect client that authenticates itself and passes on the caller's trace context. */
export function createTransport(options: { url: string; token: Secret }): {
  client: Client<typeof LimiterService>;
  close(): void;
} {
  const pool = { keepAlive: true, maxSockets: SOCKETS_MAX };
  const agent = options.url.startsWith("https:") ? new TlsAgent(pool) : new Agent(pool);
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
    // Compression costs more than it saves, and would wait for the threads that hash passwords.
    acceptCompression: [],
  });
  return { client: createClient(LimiterService, transport), close: () => agent.destroy() };
}
