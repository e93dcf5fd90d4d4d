import type { IncomingHttpHeaders } from "node:http";
import {
  type ConnectRouter,
  type ContextValues,
  createConnectRouter,
  type Interceptor,
} from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { findBinaryProblem } from "./way-in/binary-bounds.ts";
import { findJsonProblem } from "./way-in/json-bounds.ts";
import type { MessageBounds } from "./way-in/message-bounds.ts";
import { liftMember, type VerbatimMember } from "./way-in/verbatim-member.ts";

/** The handler of one RPC. The door reads the body before the call. */
export type RpcHandler = UniversalHandler;

export type RpcCall = {
  headers: IncomingHttpHeaders;
  body: Uint8Array;
  contextValues: ContextValues;
  signal: AbortSignal;
};

export type RpcAnswer = { status: number; headers: Record<string, string>; body: Uint8Array };

/**
 * Makes RPC handlers, keyed by `POST /path`. The door has decompressed the requests. Answers are
 * not compressed: our services share a network, and the edge compresses for browsers.
 */
export function createRpcHandlers(options: {
  routes: (router: ConnectRouter) => void;
  interceptors: Interceptor[];
  shutdownSignal: AbortSignal;
}): ReadonlyMap<string, RpcHandler> {
  const router = createConnectRouter({
    interceptors: options.interceptors,
    acceptCompression: [],
    binaryOptions: { readUnknownFields: false },
    jsonOptions: { alwaysEmitImplicit: true },
    shutdownSignal: options.shutdownSignal,
    // gRPC proper needs the trailers of HTTP/2.
    grpc: false,
  });
  options.routes(router);
  return new Map(
    router.handlers.map((handler) => {
      if (handler.method.methodKind === "unary") return [`POST ${handler.requestPath}`, handler];
      throw new Error(`${handler.requestPath} streams, which these doors do not`);
    }),
  );
}

export function takesContentType(handler: RpcHandler, contentType: string | undefined): boolean {
  return contentType !== undefined && handler.supportedContentType(contentType);
}

/** Checks a message before it is parsed. Returns the problem; undefined if there is none. */
export function findMessageProblem(
  handler: RpcHandler,
  contentType: string,
  body: Uint8Array,
  bounds: MessageBounds,
): string | undefined {
  const find = (message: Uint8Array) =>
    isJson(contentType)
      ? findJsonProblem(message, bounds)
      : findBinaryProblem(handler.method.input, message, bounds);
  if (!isEnveloped(contentType)) return find(body);
  const message = onlyMessage(body);
  return message === undefined
    ? "the body must hold one message, uncompressed and in one envelope"
    : find(message);
}

/**
 * Rewrites the verbatim member of a JSON message as text, before anything parses the message.
 * Returns any other body unchanged.
 */
export function liftVerbatim(
  contentType: string,
  body: Uint8Array,
  verbatim: VerbatimMember | undefined,
): ReturnType<typeof liftMember> {
  if (verbatim === undefined || !isJson(contentType)) return { kind: "lifted", bytes: body };
  if (!isEnveloped(contentType)) return liftMember(body, verbatim);
  const message = onlyMessage(body);
  if (message === undefined) return { kind: "lifted", bytes: body };
  const lifted = liftMember(message, verbatim);
  return lifted.kind === "lifted" ? { ...lifted, bytes: envelop(lifted.bytes) } : lifted;
}

function isJson(contentType: string): boolean {
  return /json/i.test(contentType);
}

function isEnveloped(contentType: string): boolean {
  return /grpc|connect\+/i.test(contentType);
}

/** Each message of gRPC-Web starts with one byte of flags and four of length. */
const ENVELOPE_BYTES = 5;

function onlyMessage(body: Uint8Array): Uint8Array | undefined {
  if (body.length < ENVELOPE_BYTES) return undefined;
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const isPlain = view.getUint8(0) === 0;
  const isWhole = view.getUint32(1) === body.length - ENVELOPE_BYTES;
  return isPlain && isWhole ? body.subarray(ENVELOPE_BYTES) : undefined;
}

function envelop(message: Uint8Array): Uint8Array {
  const head = Buffer.alloc(ENVELOPE_BYTES);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Calls a unary RPC and collects its answer. */
export async function answerRpc(handler: RpcHandler, call: RpcCall): Promise<RpcAnswer> {
  const answer = await handler({
    httpVersion: "1.1",
    // The client's Host header is not used.
    url: `http://service${handler.requestPath}`,
    method: "POST",
    header: readHeaders(call.headers),
    body: only(call.body),
    signal: call.signal,
    contextValues: call.contextValues,
  });
  return await collect(answer);
}

async function* only(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

/** Leaves out header values with characters that HTTP does not allow: no RPC can use them. */
function readHeaders(lines: IncomingHttpHeaders): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(lines)) {
    const text = Array.isArray(value) ? value.join(", ") : value;
    if (text !== undefined && HEADER_VALUE.test(text)) headers.set(name, text);
  }
  // The door has decompressed the body, so these no longer describe it.
  headers.delete("content-encoding");
  headers.delete("content-length");
  return headers;
}

const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

async function collect(response: UniversalServerResponse): Promise<RpcAnswer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of response.body ?? []) pieces.push(piece);
  const [first = EMPTY] = pieces;
  const body = pieces.length > 1 ? Buffer.concat(pieces) : first;
  return { status: response.status, headers: Object.fromEntries(response.header ?? []), body };
}

const EMPTY = new Uint8Array();
