import pg from "pg";
import type {} from "./pg-internals.ts";

/** Where a backend is, and the key that lets us interrupt it. */
export type BackendKey = {
  host: string;
  port: number;
  /** True or an object, whatever the types say. */
  ssl: pg.Client["ssl"];
  processId: number;
  secretKey: number;
};

/**
 * What became of a request to cancel: `heard` by the server, which has passed it on; `refused`,
 * since no server is there; or `unknown`, when it may still arrive.
 */
export type Cancelled = "heard" | "refused" | "unknown";

/** Requests to cancel under way at a time in one process. Each takes a process of the server. */
const CANCELS_MAX = 2;
/** A server that can hear at all hears within this time. */
const CANCEL_TIMEOUT_MS = 1_000;

let running = 0;
const waiting: Array<() => void> = [];

/** Asks the server on a second, short connection to interrupt what a backend does. */
export async function cancelBackend(key: BackendKey): Promise<Cancelled> {
  if (running >= CANCELS_MAX) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    return await requestCancel(key);
  } finally {
    // The turn is handed on.
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
