import type { IncomingMessage, ServerResponse } from "node:http";
import { cors as connectCors } from "@connectrpc/connect";
import cors from "cors";
import { createAllowedOrigins } from "../../runtime/allowed-origins.ts";

/** When a browser asks again: two hours is the longest time that any of them honours. */
const PREFLIGHT_MAX_AGE_SECONDS = 7_200;

/** Pages with tracing add these to every request; a browser blocks the request if one is missing. */
const TRACE_HEADERS = ["traceparent", "tracestate", "baggage", "b3", "sentry-trace"];

/**
 * Lets the pages of the allowed origins call us, and no others. Answers preflights itself. Other
 * requests go on, without the headers that would let a page of another origin read the answer.
 */
export function createCors(
  allowedOrigins: readonly string[],
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const origins = createAllowedOrigins(allowedOrigins);
  const setHeaders = cors({
    origin: (origin, answer) => answer(null, origin !== undefined && origins.has(origin)),
    methods: connectCors.allowedMethods.join(", "),
    allowedHeaders: [...connectCors.allowedHeaders, "authorization", ...TRACE_HEADERS].join(", "),
    exposedHeaders: [...connectCors.exposedHeaders, "retry-after"].join(", "),
    maxAge: PREFLIGHT_MAX_AGE_SECONDS,
    // The package would let the preflights of other origins pass, and go on without an answer.
    preflightContinue: true,
  });
  return (request, response) => {
    // No page ever calls these; only our own services do.
    if (request.url?.startsWith("/internal/")) return false;
    // Also where no origin is sent or allowed: a cache must not hand that answer to a page.
    response.setHeader("vary", "origin");
    const { origin } = request.headers;
    if (origin === undefined) return false;
    setHeaders(request, response, () => {});
    const isPreflight =
      request.method === "OPTIONS" &&
      request.headers["access-control-request-method"] !== undefined;
    if (!isPreflight) return false;
    response.writeHead(origins.has(origin) ? 204 : 403).end();
    return true;
  };
}
