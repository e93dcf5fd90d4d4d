import pg from "pg";
import type {} from "./pg-internals.ts";

/** The address of a backend, and the key that permits cancelling its statement. */
export type BackendKey = {
  host: string;
  port: number;
  /** `true` or an options object if TLS is on, although the type says boolean. */
  ssl: pg.Client["ssl"];
  processId: number;
  secretKey: number;
};

/**
 * The outcome of a cancel request: `heard` by the server, which has passed it on; `refused`, since
 * no server is there; or `unknown`, when it may still arrive.
 */
export type Cancelled = "heard" | "refused" | "unknown";

/** Cancel requests that one process sends at a time. Each takes a process of the server. */
const CANCELS_MAX = 2;
/** A working server hears a cancel request within this time. */
const CANCEL_TIMEOUT_MS = 1_000;

let running = 0;
const waiting: Array<() => void> = [];

/** Asks the server, on a second, short connection, to cancel a backend's statement. */
export async function cancelBackend(key: BackendKey): Promise<Cancelled> {
  if (running >= CANCELS_MAX) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    return await requestCancel(key);
  } finally {
    // Passes the turn to the next request.
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}

function requestCancel({ host, port, ssl, processId, secretKey }: BackendKey): Promise<Cancelled> {
  return new Promise((resolve) => {
    const wire = new pg.Connection({ ssl });
    let isSent = false;
    let isRefused = false;
    let isTimedOut = false;
    const timer = setTimeout(() => {
      isTimedOut = true;
      wire.stream.destroy();
    }, CANCEL_TIMEOUT_MS);
    const send = () => {
      wire.cancel(processId, secretKey);
      isSent = true;
    };
    wire.on("connect", () => (ssl ? wire.requestSsl() : send()));
    wire.on("sslconnect", send);
    wire.on("error", (error: Error & { code?: string }) => {
      isRefused = error.code === "ECONNREFUSED" || error.code === "ENOENT";
    });
    wire.once("end", () => {
      clearTimeout(timer);
      if (isRefused) resolve("refused");
      else resolve(isSent && !isTimedOut ? "heard" : "unknown");
    });
    if (host.startsWith("/")) wire.connect(`${host}/.s.PGSQL.${port}`);
    else wire.connect(port, host);
  });
}
