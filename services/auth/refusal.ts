import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import type { Verdict } from "../../clients/limiter/verdict.ts";

/** A caller that is told no other wait asks again after this time. */
const RETRY_AFTER_SECONDS_DEFAULT = "1";

/** The Retry-After header: whole seconds, at least one. */
export function retryAfterHeader(retryAfterMs: number): { "retry-after": string } {
  return { "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) };
}

/** Over a limit: HTTP 429. */
export function limited(message: string, retryAfterMs: number): ConnectError {
  return new ConnectError(message, Code.ResourceExhausted, retryAfterHeader(retryAfterMs));
}

/** Nobody could decide or answer: HTTP 503. */
export function unavailable(message: string, retryAfterMs: number): ConnectError {
  return new ConnectError(message, Code.Unavailable, retryAfterHeader(retryAfterMs));
}

/** Returns the receipt of an allowed verdict; throws the refusal of any other. */
export function requireAllowed(verdict: Verdict, what: string): string {
  if (verdict.kind === "rejected") {
    throw limited(`${what}: too many requests; try again later`, verdict.retryAfterMs);
  }
  if (verdict.kind === "no-decision") {
    throw unavailable(`${what} is temporarily unavailable`, verdict.retryAfterMs);
  }
  return verdict.receipt;
}

/** Names a bad field. */
export function invalid(field: string, problem: string): ConnectError {
  return new ConnectError(`${field}: ${problem}`, Code.InvalidArgument);
}

/** Adds a Retry-After to every `unavailable` that has none. */
export const retryAfterInterceptor: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.Unavailable) {
      if (!error.metadata.has("retry-after")) {
        error.metadata.set("retry-after", RETRY_AFTER_SECONDS_DEFAULT);
      }
    }
    throw error;
  }
};
