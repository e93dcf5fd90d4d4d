import {
  type ConnectRouter,
  createConnectRouter,
  createContextValues,
  type Interceptor,
} from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { compressionGzip } from "@connectrpc/connect-node";
import { boundCompression, tooLargeText } from "../runtime/bounded-requests.ts";
import type { Logger } from "../runtime/log.ts";
import { peerKey } from "../runtime/peer.ts";
import { type HttpAnswer, jsonAnswer, sendAnswer } from "./http-answer.ts";
import { copyRequest, type HttpResponse, type TemplatedApp, type UwsRequest } from "./uws.ts";

/** The largest request: an update of 64 KiB with every character escaped, and its envelope. */
const REQUEST_BYTES_MAX = 512 * 1024;

type Body =
  | { kind: "body"; bytes: Uint8Array }
  | { kind: "too-large" }
  /** The sender went away before all of it was there. */
  | { kind: "gone" };

/** Serves unary RPCs of a Connect router on uWebSockets, as connect-node does on node:http. */
export function addRpcRoutes(
  app: TemplatedApp,
  options: {
    routes: (router: ConnectRouter) => void;
    interceptors: Interceptor[];
    log: Logger;
  },
): void {
  const router = createConnectRouter({
    interceptors: options.interceptors,
    acceptCompression: [boundCompression(compressionGzip, REQUEST_BYTES_MAX)],
    jsonOptions: { alwaysEmitImplicit: true },
    // gRPC proper needs HTTP/2 trailers, which this server does not have.
    grpc: false,
  });
  options.routes(router);
  for (const handler of router.handlers) {
    if (handler.method.methodKind !== "unary") {
      throw new Error(`${handler.requestPath} streams, which these routes do not`);
    }
    app.any(handler.requestPath, (response, request) => {
      const copied = copyRequest(response, request);
      const aborted = new AbortController();
      response.onAborted(() => aborted.abort());
      readBody(response, aborted.signal)
        .then((body) => answerRpc(handler, copied, body, aborted.signal))
        .catch((error) => {
          options.log.error({ err: error, rpc: handler.requestPath }, "RPC failed");
          return jsonAnswer(500, { code: "internal", message: "internal error" });
        })
        .then((answer) => {
          if (answer !== undefined && !aborted.signal.aborted) sendAnswer(response, answer);
        })
        .catch((error) => options.log.error({ err: error }, "an RPC could not be answered"));
    });
  }
}

/** Reads a bounded body, copying each piece before the library takes it back. */
function readBody(response: HttpResponse, aborted: AbortSignal): Promise<Body> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    response.onData((piece, isLast) => {
      bytes += piece.byteLength;
      if (bytes <= REQUEST_BYTES_MAX) pieces.push(Buffer.from(new Uint8Array(piece)));
      else pieces.length = 0;
      if (!isLast) return;
      if (bytes > REQUEST_BYTES_MAX) resolve({ kind: "too-large" });
      else resolve({ kind: "body", bytes: Buffer.concat(pieces) });
    });
    aborted.addEventListener("abort", () => resolve({ kind: "gone" }));
  });
}

async function answerRpc(
  handler: UniversalHandler,
  request: UwsRequest,
  body: Body,
  signal: AbortSignal,
): Promise<HttpAnswer | undefined> {
  if (body.kind === "gone") return undefined;
  if (body.kind === "too-large") {
    const message = tooLargeText(REQUEST_BYTES_MAX);
    return jsonAnswer(413, { code: "invalid_argument", message });
  }
  const { headers, method, remote, path } = request;
  const peer = { remote, forwardedLines: headers.get("x-forwarded-for") ?? [] };
  const answer = await handler({
    httpVersion: "1.1",
    // The host is the client's word and is of no use here.
    url: `http://gateway${path}`,
    method,
    header: readHeaders(headers),
    body: only(body.bytes),
    signal,
    contextValues: createContextValues().set(peerKey, peer),
  });
  return await collect(answer);
}

/** What is not made of bytes that a header may hold can mean nothing to an RPC, and is left out. */
function readHeaders(lines: UwsRequest["headers"]): Headers {
  const headers = [...lines].map(([name, values]): [string, string] => [name, values.join(", ")]);
  return new Headers(headers.filter(([, value]) => HEADER_VALUE.test(value)));
}

const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

async function* only(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

/** A unary answer is one message; it is sent as a whole. */
async function collect(response: UniversalServerResponse): Promise<HttpAnswer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of response.body ?? []) pieces.push(piece);
  const headers = new Map(response.header ?? []);
  // Written by the server itself.
  headers.delete("content-length");
  return { status: response.status, headers, body: Buffer.concat(pieces) };
}
