import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { AuthService } from "../../gen/portcullis/auth/v1/auth_pb.ts";
import type { ClientIdentity } from "../runtime/client-identity.ts";
import { peerKey } from "../runtime/peer.ts";
import { type Principal, signAccessToken } from "./access-token.ts";
import { normaliseEmail } from "./email.ts";
import { createLoginCounter } from "./events.ts";
import { type LoginOptions, type LoginOutcome, login } from "./login.ts";
import { endLoginSession, rotateRefreshToken } from "./login-session-store.ts";
import { digestRefreshToken, generateRefreshToken, isRefreshToken } from "./refresh-token.ts";
import { invalid, limited, unavailable } from "./refusal.ts";
import type { TokenSigner } from "./signed-token.ts";
import { REFRESH_TOKEN_TTL_MS } from "./token-lifetimes.ts";

export type AuthServiceOptions = LoginOptions & {
  signer: TokenSigner;
  identify: ClientIdentity;
  accessTokenTtlMs: number;
};

/** Hashing takes time in proportion to what is hashed. */
const PASSWORD_BYTES_MAX = 1_024;

export function createAuthService(options: AuthServiceOptions): ServiceImpl<typeof AuthService> {
  const { db, clock, signer, identify, accessTokenTtlMs } = options;
  const countLogin = createLoginCounter();

  const issue = async (principal: Principal, refreshToken: string) => {
    const access = await signAccessToken(signer, principal, clock.nowMs(), accessTokenTtlMs);
    return {
      accessToken: access.token,
      refreshToken,
      expiresAt: timestampFromMs(access.expiresAtMs),
    };
  };

  return {
    async login(request, { values }) {
      const email = normaliseEmail(request.email);
      if (email === undefined) throw invalid("email", "must be 1 to 254 bytes of an address");
      const passwordBytes = Buffer.byteLength(request.password);
      if (passwordBytes === 0 || passwordBytes > PASSWORD_BYTES_MAX) {
        throw invalid("password", `must have 1 to ${PASSWORD_BYTES_MAX} bytes`);
      }
      const client = identify(values.get(peerKey));
      const outcome = await login(options, { email, password: request.password, client });
      countLogin(outcome.kind);
      if (outcome.kind !== "ok") throw refusalOf(outcome);
      return await issue(outcome.principal, outcome.refreshToken);
    },

    async refresh(request) {
      if (!isRefreshToken(request.refreshToken)) throw signInAgain();
      const nowMs = clock.nowMs();
      const digest = digestRefreshToken(request.refreshToken);
      const refreshToken = generateRefreshToken();
      const principal = await rotateRefreshToken(db, {
        digest,
        successor: digestRefreshToken(refreshToken),
        now: new Date(nowMs),
        createdAfter: new Date(nowMs - REFRESH_TOKEN_TTL_MS),
      });
      if (principal !== undefined) return await issue(principal, refreshToken);
      await endLoginSession(db, digest, "refresh-token-reused", new Date(nowMs));
      throw signInAgain();
    },

    async logout(request) {
      if (!isRefreshToken(request.refreshToken)) return {};
      const digest = digestRefreshToken(request.refreshToken);
      await endLoginSession(db, digest, "logout", new Date(clock.nowMs()));
      return {};
    },
  };
}

function signInAgain(): ConnectError {
  return new ConnectError("sign in again", Code.Unauthenticated);
}

function refusalOf(outcome: Exclude<LoginOutcome, { kind: "ok" }>): ConnectError {
  switch (outcome.kind) {
    case "refused":
      return new ConnectError("wrong e-mail address or password", Code.Unauthenticated);
    case "limited":
      return limited("too many attempts to sign in; try again later", outcome.retryAfterMs);
    case "unavailable":
      return unavailable("Login is temporarily unavailable", outcome.retryAfterMs);
  }
}
