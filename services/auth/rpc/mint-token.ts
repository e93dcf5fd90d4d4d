import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { DatasourceService } from "../../../gen/portcullis/auth/v1/auth_pb.ts";
import type { ClientIdentity } from "../../runtime/client-identity.ts";
import { peerKey } from "../../runtime/peer.ts";
import { actorKey, unauthenticated } from "./actor.ts";
import { type MintOptions, type MintOutcome, mint } from "./mint.ts";

export type MintRpcOptions = MintOptions & { identify: ClientIdentity };

/** Why nothing is minted for a name that no datasource has. */
export const NO_SUCH_DATASOURCE = "no such datasource";

/** MintToken: a token for one datasource. */
export function createMintToken(
  options: MintRpcOptions,
): ServiceImpl<typeof DatasourceService>["mintToken"] {
  return async ({ datasource }, context) => {
    const [outcome] = await mintForCaller(options, context, [datasource]);
    switch (outcome?.kind) {
      case "minted":
        return { token: outcome.token, expiresAt: timestampFromMs(outcome.expiresAtMs) };
      case "not-found":
        throw new ConnectError(NO_SUCH_DATASOURCE, Code.NotFound);
      default:
        throw unauthenticated();
    }
  };
}

/** Mints on behalf of the caller. */
export async function mintForCaller(
  options: MintRpcOptions,
  { values }: Pick<HandlerContext, "values">,
  datasources: readonly string[],
): Promise<readonly MintOutcome[]> {
  const actor = values.get(actorKey);
  // The operator streams nothing; an account does.
  if (actor.kind === "operator") throw unauthenticated();
  const principal = actor.kind === "account" ? actor.principal : undefined;
  const client = options.identify(values.get(peerKey));
  const outcomes = await mint(options, { client, principal, datasources });
  if (outcomes === "signed-out") throw unauthenticated();
  return outcomes;
}
