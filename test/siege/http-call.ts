import { Agent, type IncomingHttpHeaders, type RequestOptions, request } from "node:http";

export type HttpAnswer = { status: number; headers: IncomingHttpHeaders; text: string };

export type HttpRequest = {
  method?: string;
  headers?: Readonly<Record<string, string>>;
  body?: string | Uint8Array;
  /** Uses a new connection. */
  isFresh?: boolean;
};

/** Calls over HTTP/1.1 from one address, on kept or new connections. */
export type HttpCaller = {
  call(url: string, call?: HttpRequest): Promise<HttpAnswer>;
  close(): void;
};

export function createHttpCaller(options: {
  localAddress: string;
  /** For each door. */
  socketsMax: number;
  timeoutMs: number;
}): HttpCaller {
  const { localAddress, timeoutMs, socketsMax } = options;
  const kept = new Agent({ keepAlive: true, maxSockets: socketsMax });
  const send = (url: string, call: HttpRequest): Promise<HttpAnswer> => {
    const { method = "POST", headers = {}, body, isFresh = false } = call;
    const agent = isFresh ? false : kept;
    return exchange(url, { method, headers, agent, localAddress }, body, timeoutMs);
  };
  return {
    async call(url, call = {}) {
      try {
        return await send(url, call);
      } catch (error) {
        // The service may close an idle connection at the moment of its reuse.
        if (!isLostReuse(error)) throw error;
        return await send(url, { ...call, isFresh: true });
      }
    },
    close: () => kept.destroy(),
  };
}

/** A kept connection was closed before its reuse; clients retry such a call. */
class LostReuse extends Error {}

function isLostReuse(error: unknown): boolean {
  return error instanceof LostReuse;
}

function exchange(
  url: string,
  options: RequestOptions,
  body: string | Uint8Array | undefined,
  timeoutMs: number,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, options, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.once("error", fail);
      response.once("end", () => {
        clearTimeout(timer);
        const { statusCode = 0, headers } = response;
        resolve({ status: statusCode, headers, text: Buffer.concat(pieces).toString() });
      });
    });
    const timer = setTimeout(() => {
      sent.destroy(new Error(`no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    const fail = (error: Error) => {
      clearTimeout(timer);
      const isLost = sent.reusedSocket && codeOf(error) === "ECONNRESET";
      reject(isLost ? new LostReuse(error.message) : error);
    };
    sent.once("error", fail);
    sent.end(body);
  });
}

function codeOf(error: Error): string {
  return "code" in error ? String(error.code) : "";
}

/** Describes the failure of a call in a word or a line. */
export function problemOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return codeOf(error) || error.message;
}
