import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import type { LimiterClient } from "../../../clients/limiter/limiter-client.ts";
import { DatasourceService } from "../../../gen/portcullis/auth/v1/auth_pb.ts";
import type { ClientIdentity } from "../../runtime/client-identity.ts";
import { peerKey } from "../../runtime/peer.ts";
import { unprovenBucket } from "../login/limits.ts";
import { limited } from "../refusal.ts";

/**
 * Limits how often an address may show a wrong credential to DatasourceService, the only service that
 * reads bearers. The charge follows the refusal, so that right credentials never wait, whatever
 * others behind the same address try.
 */
export function createWrongCredentialsInterceptor(options: {
  limiter: LimiterClient;
  identify: ClientIdentity;
}): Interceptor {
  const { limiter, identify } = options;
  return (next) => async (request) => {
    try {
      return await next(request);
    } catch (error) {
      const isRefused = error instanceof ConnectError && error.code === Code.Unauthenticated;
      const isTry =
        request.service.typeName === DatasourceService.typeName &&
        request.header.has("authorization");
      if (!isRefused || !isTry) throw error;
      const client = identify(request.contextValues.get(peerKey));
      const verdict = await limiter.consume([unprovenBucket("credential.ip", client)]);
      // Without a decision it stays refused.
      if (verdict.kind !== "rejected") throw error;
      throw limited("too many wrong credentials; try again later", verdict.retryAfterMs);
    }
  };
}
