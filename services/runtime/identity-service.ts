import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { IdentityService, Source } from "../../gen/portcullis/identity/v1/identity_pb.ts";
import { findCaller } from "./caller.ts";
import type { ClientIdentity } from "./client-identity.ts";
import { peerKey } from "./peer.ts";
import type { Secret } from "./secret.ts";

/** What a service tells the operator about itself beside the address. */
export type IdentityOptions = {
  identify: ClientIdentity;
  hops: number;
  operatorTokens: readonly Secret[];
  failureMode: () => string;
  configHash: string;
};

/** Serves IdentityService with the very function that serves the limits. */
export function identityRoutes(router: ConnectRouter, options: IdentityOptions): void {
  router.service(IdentityService, {
    whoIsCalling(_request, context) {
      const authorization = context.requestHeader.get("authorization");
      if (findCaller(authorization, { operator: options.operatorTokens }) === undefined) {
        throw new ConnectError("the operator's token is required", Code.Unauthenticated);
      }
      const client = options.identify(context.values.get(peerKey));
      return {
        address: client.ip,
        source: client.class === "forwarded" ? Source.FORWARDED : Source.SOCKET,
        warning: client.warning ?? "",
        hops: options.hops,
        entries: client.entries,
        failureMode: options.failureMode(),
        configHash: options.configHash,
      };
    },
  });
}
