import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import type { DatasourceService } from "../../../gen/portcullis/auth/v1/auth_pb.ts";
import { codeText } from "../../runtime/code-text.ts";
import { SIGN_IN_FIRST } from "./actor.ts";
import type { MintOutcome } from "./mint.ts";
import { type MintRpcOptions, mintForCaller, NO_SUCH_DATASOURCE } from "./mint-token.ts";

/** As many names as the rule of MintTokensRequest allows: a page opens as many streams as a session. */
export const MINTS_MAX = 64;

/** MintTokens: a token, or the reason why there is none, for each of several datasources. */
export function createMintTokens(
  options: MintRpcOptions,
): ServiceImpl<typeof DatasourceService>["mintTokens"] {
  return async ({ datasources }, context) => {
    const outcomes = await mintForCaller(options, context, datasources);
    const results = outcomes.map((outcome, index) =>
      resultOf(datasources[index] ?? "", index, outcome),
    );
    return { results };
  };
}

function resultOf(datasource: string, index: number, outcome: MintOutcome) {
  switch (outcome.kind) {
    case "minted": {
      const { token, expiresAtMs } = outcome;
      return { datasource, token, expiresAt: timestampFromMs(expiresAtMs) };
    }
    case "bad-name": {
      const message = `datasources[${index}]: is not a datasource name`;
      return { datasource, error: { code: codeText(Code.InvalidArgument), message } };
    }
    case "sign-in-first":
      return {
        datasource,
        error: { code: codeText(Code.Unauthenticated), message: SIGN_IN_FIRST },
      };
    case "not-found":
      return { datasource, error: { code: codeText(Code.NotFound), message: NO_SUCH_DATASOURCE } };
  }
}
