import { type IncomingHttpHeaders, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { HeaderLine } from "../spoof.ts";

export type HttpCall = {
  url: string | URL;
  method?: "GET" | "POST" | "OPTIONS";
  /** Sent unchanged and in this order; names may repeat. */
  headers?: readonly HeaderLine[];
  body?: string;
  /** The exact path on the wire; a path in the URL would be normalised. */
  path?: string;
  signal?: AbortSignal | undefined;
};

export type HttpAnswer =
  | { kind: "answer"; status: number; headers: IncomingHttpHeaders; body: string }
  | { kind: "none"; problem: string };

/** Our services answer within three seconds; proxies may add some. */
const CALL_TIMEOUT_MS = 5_000;
/** No answer that a judge needs is longer; the rest is dropped. */
const BODY_BYTES_MAX = 1024 * 1024;

/**
 * Makes one call on a connection of its own; a failed call resolves to `none`. Unlike fetch it can
 * repeat headers, keeps their spelling and can ask for an upgrade, whose socket it closes after the
 * 101.
 */
export async function callHttp(call: HttpCall): Promise<HttpAnswer> {
  const url = new URL(call.url);
  const body = call.body ?? "";
  const headers: HeaderLine[] = [["Host", url.host], ...(call.headers ?? [])];
  if (body !== "") headers.push(["Content-Length", String(Buffer.byteLength(body))]);
  const timeout = AbortSignal.timeout(CALL_TIMEOUT_MS);
  const signal = call.signal === undefined ? timeout : AbortSignal.any([timeout, call.signal]);
  const send = url.protocol === "https:" ? requestHttps : requestHttp;

  return await new Promise<HttpAnswer>((resolve) => {
    const fail = (error: Error) => {
      const problem = timeout.aborted ? `no answer within ${CALL_TIMEOUT_MS} ms` : error.message;
      resolve({ kind: "none", problem });
    };
    const request = send(url, {
      method: call.method ?? "GET",
      path: call.path ?? `${url.pathname}${url.search}`,
      headers: headers.flat(),
      setHost: false,
      agent: false,
      signal,
    });
    request.on("error", fail);
    request.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ kind: "answer", status: 101, headers: response.headers, body: "" });
    });
    request.on("response", (response) => {
      const pieces: Buffer[] = [];
      let bytes = 0;
      response.on("error", fail);
      response.on("data", (piece: Buffer) => {
        bytes += piece.length;
        if (bytes <= BODY_BYTES_MAX) pieces.push(piece);
      });
      response.on("end", () => {
        const text = Buffer.concat(pieces).toString("utf8");
        const { statusCode = 0, headers } = response;
        resolve({ kind: "answer", status: statusCode, headers, body: text });
      });
    });
    request.end(body);
  });
}

/** Posts JSON, as a Connect client does. */
export async function callRpc(options: {
  url: string;
  /** For example `portcullis.limiter.v1.LimiterService/GetInfo`. */
  rpc: string;
  body?: object;
  token?: string | undefined;
  headers?: readonly HeaderLine[];
  signal?: AbortSignal | undefined;
}): Promise<HttpAnswer> {
  const headers: HeaderLine[] = [["Content-Type", "application/json"], ...(options.headers ?? [])];
  if (options.token !== undefined) headers.push(["Authorization", `Bearer ${options.token}`]);
  return await callHttp({
    url: new URL(`/${options.rpc}`, options.url),
    method: "POST",
    headers,
    body: JSON.stringify(options.body ?? {}),
    signal: options.signal,
  });
}

/** An answer in a few words. */
export function answerText(answer: HttpAnswer): string {
  return answer.kind === "none" ? answer.problem : `status ${answer.status}`;
}
