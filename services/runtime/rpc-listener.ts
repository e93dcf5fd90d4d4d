import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type ConnectRouter,
  createConnectRouter,
  createContextValues,
  type Interceptor,
} from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { boundBody, boundCompression } from "./bounded-requests.ts";
import type { Logger } from "./log.ts";
import { peerKey, peerOf } from "./peer.ts";

/** The client's word for our host is of no use, and the RPC library throws where it is no host. */
const HOST = "service";

/** Serves RPCs on node:http, with bounded requests and the peer of each among its values. */
export function createRpcListener(options: {
  routes: (router: ConnectRouter) => void;
  interceptors: Interceptor[];
  readBytesMax: number;
  shutdownSignal: AbortSignal;
  log: Logger;
}): (request: IncomingMessage, response: ServerResponse) => void {
  const { readBytesMax, log } = options;
  const router = createConnectRouter({
    interceptors: options.interceptors,
    acceptCompression: [compressionGzip, compressionBrotli].map((compression) =>
      boundCompression(compression, readBytesMax),
    ),
    jsonOptions: { alwaysEmitImplicit: true },
    shutdownSignal: options.shutdownSignal,
  });
  options.routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  const answer = async (
    handle: UniversalHandler,
    request: IncomingMessage,
    response: ServerResponse,
  ) => {
    request.headers.host = HOST;
    const values = createContextValues().set(peerKey, peerOf(request));
    const universal = universalRequestFromNodeRequest(request, response, undefined, values);
    const { body } = universal;
    const isStream = typeof body === "object" && body !== null && Symbol.asyncIterator in body;
    if (!isStream) throw new Error("a request of node:http without a stream for a body");
    const answered = await handle({ ...universal, body: boundBody(body, readBytesMax) });
    // Nobody reads the rest of a body that was given up.
    if (!request.complete) response.setHeader("connection", "close");
    await universalResponseToNodeResponse(answered, response);
  };

  return (request, response) => {
    const handle = handlers.get(request.url?.split("?", 1)[0] ?? "");
    if (handle === undefined) {
      response.writeHead(404).end();
      return;
    }
    answer(handle, request, response).catch((error: unknown) => {
      // The caller hung up; nobody reads an answer.
      if (response.destroyed || request.errored !== null) return;
      log.error({ err: error, rpc: handle.requestPath }, "an RPC could not be answered");
      response.destroy();
    });
  };
}
