import { Code, ConnectError, createContextKey, type Interceptor } from "@connectrpc/connect";
import { DatasourceService } from "../../../gen/portcullis/auth/v1/auth_pb.ts";
import { type Credentials, findCaller, readBearer } from "../../runtime/caller.ts";
import type { Clock } from "../../runtime/clock.ts";
import { type Principal, verifyAccessToken } from "../tokens/access-token.ts";
import type { TokenSigner } from "../tokens/signed-token.ts";

/** Who makes a call: anybody, an account, or the operator. */
export type Actor =
  | { kind: "anonymous" }
  | { kind: "account"; principal: Principal }
  | { kind: "operator" };

/** Who calls DatasourceService. */
export const actorKey = createContextKey<Actor>({ kind: "anonymous" });

export const SIGN_IN_FIRST = "a valid access token is required";

/**
 * Finds out who calls DatasourceService, before the request is looked at. A bearer that is not valid
 * is refused; its holder is never taken for anonymous. The other services look at no bearer, though
 * clients may send theirs along.
 */
export function createActorInterceptor(options: {
  signer: TokenSigner;
  clock: Clock;
  /** Only the operator's. */
  credentials: Credentials;
}): Interceptor {
  const { signer, clock, credentials } = options;
  const actorOf = async (authorization: string): Promise<Actor> => {
    if (findCaller(authorization, credentials) !== undefined) return { kind: "operator" };
    const token = readBearer(authorization);
    const principal =
      token === undefined ? undefined : await verifyAccessToken(signer, token, clock.nowMs());
    if (principal === undefined) throw unauthenticated();
    return { kind: "account", principal };
  };
  return (next) => async (request) => {
    const authorization = request.header.get("authorization");
    if (authorization !== null && request.service.typeName === DatasourceService.typeName) {
      request.contextValues.set(actorKey, await actorOf(authorization));
    }
    return await next(request);
  };
}

export function unauthenticated(): ConnectError {
  return new ConnectError(SIGN_IN_FIRST, Code.Unauthenticated);
}
