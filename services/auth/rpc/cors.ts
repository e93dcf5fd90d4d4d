import type { IncomingMessage, ServerResponse } from "node:http";
import { cors } from "@connectrpc/connect";
import { createAllowedOrigins } from "../../runtime/allowed-origins.ts";

/** Browsers ask again after that long; two hours is the most that any of them honours. */
const PREFLIGHT_MAX_AGE_SECONDS = "7200";

const ALLOW_METHODS = cors.allowedMethods.join(", ");
/** Pages with tracing add these to every request; browsers block all of it where one is missing. */
const TRACE_HEADERS = ["traceparent", "tracestate", "baggage", "b3", "sentry-trace"];
const ALLOW_HEADERS = [...cors.allowedHeaders, "authorization", ...TRACE_HEADERS].join(", ");
const EXPOSE_HEADERS = [...cors.exposedHeaders, "retry-after"].join(", ");

/**
 * Lets the pages of the allowed origins call us, and no others. Answers preflights itself; anything
 * else goes on, without the headers that would let a page of another origin read the answer.
 */
export function createCors(
  allowedOrigins: readonly string[],
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const origins = createAllowedOrigins(allowedOrigins);
  return (request, response) => {
    // No page ever calls these; only our own services do.
    if (request.url?.startsWith("/internal/")) return false;
    response.setHeader("vary", "origin");
    const { origin } = request.headers;
    if (origin === undefined) return false;
    const isAllowed = origins.has(origin);
    if (isAllowed) {
      response.setHeader("access-control-allow-origin", origin);
      response.setHeader("access-control-expose-headers", EXPOSE_HEADERS);
    }
    const isPreflight =
      request.method === "OPTIONS" &&
      request.headers["access-control-request-method"] !== undefined;
    if (!isPreflight) return false;
    if (isAllowed) {
      response.setHeader("access-control-allow-methods", ALLOW_METHODS);
      response.setHeader("access-control-allow-headers", ALLOW_HEADERS);
      response.setHeader("access-control-max-age", PREFLIGHT_MAX_AGE_SECONDS);
    }
    response.writeHead(isAllowed ? 204 : 403).end();
    return true;
  };
}
