import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";

const NAME = "cache-control";
const VALUE = "no-store";

/** Keeps every answer out of caches, errors included: answers carry tokens. Goes outermost. */
export const noStoreInterceptor: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    response.header.set(NAME, VALUE);
    return response;
  } catch (error) {
    const refusal = error instanceof ConnectError ? error : hidden(error);
    refusal.metadata.set(NAME, VALUE);
    throw refusal;
  }
};

/** What the RPC library says of a bug, which it would otherwise say without our header. */
function hidden(error: unknown): ConnectError {
  return new ConnectError("internal error", Code.Internal, undefined, undefined, error);
}
