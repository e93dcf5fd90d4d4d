import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { AuthService } from "../../../gen/portcullis/auth/v1/auth_pb.ts";
import { peerKey } from "../../runtime/peer.ts";
import type { Database } from "../store/database.ts";
import type { UnnamedTokens } from "../store/unnamed-tokens.ts";
import { createIssueTokens } from "./issue-tokens.ts";
import { createLogin, type LoginRpcOptions } from "./login.ts";
import { logout, refresh } from "./refresh.ts";

export type AuthServiceOptions = LoginRpcOptions & {
  /** For Refresh and Logout; `db` is for Login. */
  refreshDb: Database;
  unnamedTokens: UnnamedTokens;
  accessTokenTtlMs: number;
};

export function createAuthService(options: AuthServiceOptions): ServiceImpl<typeof AuthService> {
  const { identify } = options;
  const refreshOptions = { ...options, db: options.refreshDb };
  const issueTokens = createIssueTokens(options);
  return {
    login: createLogin(options, issueTokens),

    async refresh({ refreshToken }, { values }) {
      const client = identify(values.get(peerKey));
      const refreshed = await refresh(refreshOptions, refreshToken, client);
      if (refreshed === undefined) throw new ConnectError("sign in again", Code.Unauthenticated);
      return await issueTokens(refreshed.principal, refreshed.refreshToken);
    },

    async logout({ refreshToken }, { values }) {
      await logout(refreshOptions, refreshToken, identify(values.get(peerKey)));
      return {};
    },
  };
}
