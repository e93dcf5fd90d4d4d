import type {
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  us_listen_socket,
  WebSocketBehavior,
} from "uWebSockets.js";

export type { HttpRequest, HttpResponse, TemplatedApp, WebSocket } from "uWebSockets.js";

/** The server library, with its native binary loaded. */
export type Uws = {
  App(): TemplatedApp;
  DISABLED: NonNullable<WebSocketBehavior<unknown>["compression"]>;
  LIBUS_LISTEN_EXCLUSIVE_PORT: number;
  us_listen_socket_close(socket: us_listen_socket): void;
  us_socket_local_port(socket: us_listen_socket): number;
};

const HOW_TO_GET_IT = `uWebSockets.js has no native binary for Node ${process.versions.node} on \
${process.platform}-${process.arch}, and the gateway does not run without one. The package registry \
has it for Node 20 only. For Node 22 and 24 install the official build from its Git tag, v20.69.0 \
or newer: npm install --no-save uWebSockets.js@uNetworking/uWebSockets.js#v20.69.0`;

/**
 * Loads uWebSockets.js; this is the only file that imports it. Where its binary does not load, the
 * package falls back to JavaScript that throws on the first upgrade: that is refused here.
 */
export async function loadUws(): Promise<Uws> {
  const uws = await importUws();
  const isNative = Function.prototype.toString.call(uws.App).includes("[native code]");
  if (!isNative) throw new Error(HOW_TO_GET_IT);
  return uws;
}

async function importUws(): Promise<Uws> {
  try {
    // The package is CommonJS: its named exports exist for the type checker only. This constant
    // is missing from its types.
    const { default: uws } = await import("uWebSockets.js");
    return uws as typeof uws & { LIBUS_LISTEN_EXCLUSIVE_PORT: number };
  } catch (error) {
    throw new Error(HOW_TO_GET_IT, { cause: error });
  }
}

/** Everything a request says about itself, copied, since uWebSockets takes it back at once. */
export type UwsRequest = {
  method: string;
  path: string;
  /** Every line of every header, by lower-case name. */
  headers: Map<string, string[]>;
  /** The socket's address as the platform prints it. */
  remote: string;
};

const decoder = new TextDecoder();

/** Copies a request. Must be called before the handler returns or awaits. */
export function copyRequest(response: HttpResponse, request: HttpRequest): UwsRequest {
  const headers = new Map<string, string[]>();
  // getHeader() would return the first line only.
  request.forEach((name, value) => {
    const lines = headers.get(name);
    if (lines === undefined) headers.set(name, [value]);
    else lines.push(value);
  });
  return {
    method: request.getCaseSensitiveMethod().toUpperCase(),
    path: request.getUrl(),
    headers,
    remote: decoder.decode(response.getRemoteAddressAsText()),
  };
}

/** Listens where nobody else does; port 0 takes any free port. */
export async function listen(
  uws: Uws,
  app: TemplatedApp,
  host: string,
  port: number,
): Promise<{ port: number; close(): void }> {
  // By default a second process could share the port and take half of the connections.
  const listenExclusively = app.listen.bind(app) as unknown as (
    host: string,
    port: number,
    options: number,
    callback: (socket: us_listen_socket | false) => void,
  ) => void;
  return await new Promise((resolve, reject) => {
    listenExclusively(host, port, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, (socket) => {
      if (socket === false) {
        const text = `cannot listen on ${host}:${port} (GATEWAY_PORT): the port is in use, or the`;
        reject(new Error(`${text} address (BIND_HOST) is not of this machine`));
        return;
      }
      const close = () => uws.us_listen_socket_close(socket);
      resolve({ port: uws.us_socket_local_port(socket), close });
    });
  });
}
