import type {
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  us_listen_socket,
  WebSocketBehavior,
} from "uWebSockets.js";

export type {
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  us_socket_context_t,
  WebSocket,
} from "uWebSockets.js";

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
has it for Node 20 and 22 on x86-64 Linux with glibc 2.27 or newer, as an optional dependency (not \
with --omit=optional). Elsewhere install the official build from its Git tag: npm install --no-save \
uWebSockets.js@uNetworking/uWebSockets.js#v20.69.0. It has Node 22 and 24 too, and needs glibc 2.38 \
on Linux; Debian 12 has 2.36.`;

/** Loads uWebSockets.js; this is the only file that imports it. */
export async function loadUws(): Promise<Uws> {
  try {
    // The package is CommonJS; the types of its default export lack this constant.
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

/** The address of a socket; empty once it has closed. */
export function remoteOf(response: HttpResponse): string {
  return decoder.decode(response.getRemoteAddressAsText());
}

/** Copies a request. Must be called before the handler returns or awaits. */
export function copyRequest(request: HttpRequest): Omit<UwsRequest, "remote"> {
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

/**
 * Tells of every connection before anything was sent on it. The library tells of its end too, but
 * not whose it is.
 */
export function onConnection(app: TemplatedApp, meet: (response: HttpResponse) => void): void {
  const observe = app.filter.bind(app);
  observe((response, change) => {
    if (Number(change) > 0) meet(response);
  });
}
