import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Clock } from "../../runtime/clock.ts";
import { type Principal, signAccessToken } from "../tokens/access-token.ts";
import type { TokenSigner } from "../tokens/signed-token.ts";

/** Signs an access token and puts it beside a refresh token, as Login and Refresh answer them. */
export type IssueTokens = (
  principal: Principal,
  refreshToken: string,
) => Promise<{ accessToken: string; refreshToken: string; expiresAt: Timestamp }>;

export function createIssueTokens(options: {
  signer: TokenSigner;
  clock: Clock;
  accessTokenTtlMs: number;
}): IssueTokens {
  const { signer, clock, accessTokenTtlMs } = options;
  return async (principal, refreshToken) => {
    const access = await signAccessToken(signer, principal, clock.nowMs(), accessTokenTtlMs);
    return {
      accessToken: access.token,
      refreshToken,
      expiresAt: timestampFromMs(access.expiresAtMs),
    };
  };
}
