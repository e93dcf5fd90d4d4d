import type { IncomingMessage } from "node:http";
import { Code, ConnectError } from "@connectrpc/connect";
import { createBoundedWarning } from "../runtime/bounded-warning.ts";
import { type Credentials, findCaller } from "../runtime/caller.ts";
import type { ClientIdentity } from "../runtime/client-identity.ts";
import type { ClientIp } from "../runtime/client-ip.ts";
import { systemClock } from "../runtime/clock.ts";
import { createHttpTelemetry } from "../runtime/http-telemetry.ts";
import { readJsonObject } from "../runtime/json-body.ts";
import type { Logger } from "../runtime/log.ts";
import { peerOf } from "../runtime/peer.ts";
import { isDatabaseOutage } from "../runtime/postgres.ts";
import { type HttpHandler, sendJson } from "../runtime/serve.ts";
import { retryAfterHeader } from "./refusal.ts";

/** An authenticated call of one of our services. */
export type InternalCall = {
  /** Which service calls, by its token. */
  caller: string;
  client: ClientIp;
  body: Readonly<Record<string, unknown>>;
};

export type JsonAnswer = {
  status: number;
  body: unknown;
  headers?: Readonly<Record<string, string>>;
};

export type InternalHandler = (call: InternalCall) => Promise<JsonAnswer>;

/** As much as an RPC may send. */
export const BODY_BYTES_MAX = 65_536;

const RETRY_AFTER_MS = 1_000;

/**
 * Makes plain HTTP routes for our own services: the token is checked before anything is spent or
 * read, and every failure has an answer in JSON.
 */
export function createInternalRoutes(options: {
  credentials: Credentials;
  identify: ClientIdentity;
  handlers: Readonly<Record<string, InternalHandler>>;
  log: Logger;
}): Record<string, HttpHandler> {
  const { identify, log } = options;
  const warn = createBoundedWarning(log, systemClock);
  const telemetry = createHttpTelemetry();

  const answer = async (
    request: IncomingMessage,
    caller: string | undefined,
    handle: InternalHandler,
  ): Promise<JsonAnswer> => {
    if (caller === undefined) return unauthenticated;
    const read = await readJsonObject(request, BODY_BYTES_MAX);
    if (read.kind === "too-large") return tooLarge;
    if (read.kind === "not-json") return badField("body", "must be a JSON object");
    return await handle({ caller, client: identify(peerOf(request)), body: read.body });
  };

  const routes = Object.entries(options.handlers).map(([path, handle]) => {
    const handler: HttpHandler = (request, response) => {
      const caller = findCaller(request.headers.authorization, options.credentials);
      const call = {
        method: "POST",
        route: path,
        header: (name: string) => headerOf(request, name),
        trustTraceContext: caller !== undefined,
      };
      const serve = () =>
        answer(request, caller, handle).catch((error: unknown): JsonAnswer => {
          // The caller hung up while it was still sending; nobody reads this.
          if (request.errored !== null) return hungUp;
          if (isDatabaseOutage(error)) {
            warn("database", "the database cannot serve now", { err: error });
            return unavailable("temporarily unavailable", RETRY_AFTER_MS);
          }
          if (error instanceof ConnectError && error.code === Code.Unavailable) {
            return unavailable(error.rawMessage, RETRY_AFTER_MS);
          }
          log.error({ err: error, path }, "request failed");
          return internalError;
        });
      telemetry(call, serve)
        .then(({ status, body, headers }) => sendJson(response, status, body, headers))
        .catch((error: unknown) => log.warn({ err: error, path }, "an answer was not sent"));
    };
    return [`POST ${path}`, handler] as const;
  });
  return Object.fromEntries(routes);
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

const unauthenticated: JsonAnswer = {
  status: 401,
  body: { error: "unauthenticated", message: "a valid service token is required" },
  headers: { "www-authenticate": "Bearer", connection: "close" },
};
const tooLarge: JsonAnswer = {
  status: 413,
  body: { error: "invalid_argument", message: `body: at most ${BODY_BYTES_MAX} bytes` },
  headers: { connection: "close" },
};
const hungUp: JsonAnswer = { status: 400, body: { error: "canceled" } };
const internalError: JsonAnswer = { status: 500, body: { error: "internal" } };

/** 400 that names the field. */
export function badField(field: string, problem: string): JsonAnswer {
  return {
    status: 400,
    body: { error: "invalid_argument", field, message: `${field}: ${problem}` },
  };
}

/** 429: over a limit. */
export function limited(retryAfterMs: number): JsonAnswer {
  return {
    status: 429,
    body: { error: "resource_exhausted", message: "too many requests", retryAfterMs },
    headers: retryAfterHeader(retryAfterMs),
  };
}

/** 503: nobody could decide or answer. */
export function unavailable(message: string, retryAfterMs: number): JsonAnswer {
  return {
    status: 503,
    body: { error: "unavailable", message, retryAfterMs },
    headers: retryAfterHeader(retryAfterMs),
  };
}
