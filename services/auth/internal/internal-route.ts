import type { IncomingHttpHeaders } from "node:http";
import { Code, ConnectError } from "@connectrpc/connect";
import { createBoundedWarning } from "../../runtime/bounded-warning.ts";
import type { ClientIdentity } from "../../runtime/client-identity.ts";
import type { ClientIp } from "../../runtime/client-ip.ts";
import { systemClock } from "../../runtime/clock.ts";
import { createHttpTelemetry } from "../../runtime/http-telemetry.ts";
import type { Logger } from "../../runtime/log.ts";
import { peerOf } from "../../runtime/peer.ts";
import { isDatabaseOutage } from "../../runtime/postgres.ts";
import { type HttpCall, type HttpHandler, sendJson } from "../../runtime/serve.ts";
import { retryAfterHeader } from "../refusal.ts";

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

const RETRY_AFTER_MS = 1_000;

/**
 * Makes plain HTTP routes for our own services. The door has checked their token before it read
 * anything; every failure has an answer in JSON.
 */
export function createInternalRoutes(options: {
  identify: ClientIdentity;
  handlers: Readonly<Record<string, InternalHandler>>;
  log: Logger;
}): Record<string, HttpHandler> {
  const { identify, log } = options;
  const warn = createBoundedWarning(log, systemClock);
  const telemetry = createHttpTelemetry();

  const answer = async (
    { request, caller, body }: HttpCall,
    handle: InternalHandler,
  ): Promise<JsonAnswer> => {
    const read = readJsonObject(body);
    if (read === undefined) return badField("body", "must be a JSON object");
    return await handle({ caller, client: identify(peerOf(request)), body: read });
  };

  const routes = Object.entries(options.handlers).map(([path, handle]) => {
    const handler: HttpHandler = async (call) => {
      const { request, response } = call;
      const measured = {
        method: "POST",
        route: path,
        header: (name: string) => headerOf(request.headers, name),
        trustTraceContext: true,
      };
      const serve = () =>
        answer(call, handle).catch((error: unknown): JsonAnswer => {
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
      const { status, body, headers } = await telemetry(measured, serve);
      sendJson(response, status, body, headers);
    };
    return [`POST ${path}`, handler] as const;
  });
  return Object.fromEntries(routes);
}

/** An empty body is the empty object; undefined for what is no object. */
function readJsonObject(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  if (body.length === 0) return {};
  const value = parse(body.toString("utf8"));
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return value as Record<string, unknown>;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

const internalError: JsonAnswer = { status: 500, body: { error: "internal" } };

/** 400 that names the field. */
export function badField(field: string, problem: string): JsonAnswer {
  return {
    status: 400,
    body: { error: "invalid_argument", field, message: `${field}: ${problem}` },
  };
}

/** 404 that names the field. */
export function notFound(field: string, problem: string): JsonAnswer {
  return { status: 404, body: { error: "not_found", field, message: `${field}: ${problem}` } };
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
