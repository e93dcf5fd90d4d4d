import type { ServiceImpl } from "@connectrpc/connect";
import type { DatasourceService } from "../../../gen/portcullis/auth/v1/auth_pb.ts";
import { createMintToken, type MintRpcOptions } from "./mint-token.ts";
import { createMintTokens } from "./mint-tokens.ts";
import { createPut, type PutOptions } from "./put.ts";
import { createRevokeToken, type RevokeTokenOptions } from "./revoke-token.ts";

/** `db` is for minting and revoking, `administrationDb` for the operator. */
export type DatasourceServiceOptions = MintRpcOptions & RevokeTokenOptions & PutOptions;

export function createDatasourceService(
  options: DatasourceServiceOptions,
): ServiceImpl<typeof DatasourceService> {
  return {
    mintToken: createMintToken(options),
    mintTokens: createMintTokens(options),
    revokeToken: createRevokeToken(options),
    put: createPut(options),
  };
}
