import type { IncomingHttpHeaders } from "node:http";
import type { JsonObject } from "@bufbuild/protobuf";
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
import { badField, internalError, type JsonAnswer, unavailable } from "./json-answer.ts";
import { parseObject } from "./read-request.ts";

/** An authenticated call of one of our services. */
export type InternalCall = {
  /** The service that calls, known by its token. */
  caller: string;
  client: ClientIp;
  body: JsonObject;
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
    const parsed = parseObject(body);
    if (parsed === undefined) return badField("body", "must be a JSON object");
    return await handle({ caller, client: identify(peerOf(request)), body: parsed });
  };

  const failureOf = (error: unknown, path: string): JsonAnswer => {
    if (isDatabaseOutage(error)) {
      warn("database", "the database cannot serve now", { err: error });
      return unavailable("temporarily unavailable", RETRY_AFTER_MS);
    }
    if (error instanceof ConnectError && error.code === Code.Unavailable) {
      return unavailable(error.rawMessage, RETRY_AFTER_MS);
    }
    log.error({ err: error, path }, "request failed");
    return internalError;
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
      const serve = () => answer(call, handle).catch((error: unknown) => failureOf(error, path));
      const { status, body, headers } = await telemetry(measured, serve);
      sendJson(response, status, body, headers);
    };
    return [`POST ${path}`, handler] as const;
  });
  return Object.fromEntries(routes);
}

/** The calling instance of a service: instances take turns with each other. */
export function instanceOf({ caller, client }: InternalCall): string {
  return `${caller} ${client.ip}`;
}

function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
