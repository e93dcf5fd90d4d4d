import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { AuthService } from "../../../gen/portcullis/auth/v1/auth_pb.ts";
import type { ClientIdentity } from "../../runtime/client-identity.ts";
import { peerKey } from "../../runtime/peer.ts";
import { createLoginCounter } from "../events.ts";
import { normaliseEmail } from "../login/email.ts";
import { type LoginOptions, type LoginOutcome, login } from "../login/login.ts";
import { invalid, limited, unavailable } from "../refusal.ts";
import type { Database } from "../store/database.ts";
import type { UnnamedTokens } from "../store/unnamed-tokens.ts";
import { type Principal, signAccessToken } from "../tokens/access-token.ts";
import { newDeviceId, signDeviceToken, verifyDeviceToken } from "../tokens/device-token.ts";
import type { TokenSigner } from "../tokens/signed-token.ts";
import { createLimitedLogins } from "./limited-logins.ts";
import { logout, refresh } from "./refresh.ts";

export type AuthServiceOptions = LoginOptions & {
  /** For Refresh and Logout; `db` is for Login. */
  refreshDb: Database;
  unnamedTokens: UnnamedTokens;
  signer: TokenSigner;
  identify: ClientIdentity;
  accessTokenTtlMs: number;
};

/** Hashing takes time in proportion to what is hashed. */
const PASSWORD_BYTES_MAX = 1_024;

export function createAuthService(options: AuthServiceOptions): ServiceImpl<typeof AuthService> {
  const { clock, signer, identify, accessTokenTtlMs } = options;
  const refreshOptions = { ...options, db: options.refreshDb };
  const countLogin = createLoginCounter();
  const noteLimited = createLimitedLogins(options);

  const issue = async (principal: Principal, refreshToken: string) => {
    const access = await signAccessToken(signer, principal, clock.nowMs(), accessTokenTtlMs);
    return {
      accessToken: access.token,
      refreshToken,
      expiresAt: timestampFromMs(access.expiresAtMs),
    };
  };

  const renewDevice = async ({ device, principal, deviceEpoch }: SignedIn) => {
    const id = device?.id ?? newDeviceId();
    const renewed = { id, accountId: principal.accountId, epoch: deviceEpoch };
    return { deviceToken: await signDeviceToken(signer, renewed, clock.nowMs()) };
  };

  return {
    async login(request, { values }) {
      const email = normaliseEmail(request.email);
      if (email === undefined) throw invalid("email", "must be 1 to 254 bytes of an address");
      const { password, deviceToken } = request;
      const passwordBytes = Buffer.byteLength(password);
      if (passwordBytes === 0 || passwordBytes > PASSWORD_BYTES_MAX) {
        throw invalid("password", `must have 1 to ${PASSWORD_BYTES_MAX} bytes`);
      }
      const client = identify(values.get(peerKey));
      // A token that is not ours, or has ended, is as good as none.
      const device = deviceToken
        ? await verifyDeviceToken(signer, deviceToken, clock.nowMs())
        : undefined;
      const outcome = await login(options, { email, password, client, device });
      countLogin(outcome.kind);
      if (outcome.kind === "limited") noteLimited({ email, ...outcome });
      if (outcome.kind !== "ok") throw refusalOf(outcome);
      const tokens = await issue(outcome.principal, outcome.refreshToken);
      return deviceToken === undefined ? tokens : { ...tokens, ...(await renewDevice(outcome)) };
    },

    async refresh(request, { values }) {
      const client = identify(values.get(peerKey));
      const refreshed = await refresh(refreshOptions, request.refreshToken, client);
      if (refreshed === undefined) throw signInAgain();
      return await issue(refreshed.principal, refreshed.refreshToken);
    },

    async logout(request, { values }) {
      await logout(refreshOptions, request.refreshToken, identify(values.get(peerKey)));
      return {};
    },
  };
}

type SignedIn = Extract<LoginOutcome, { kind: "ok" }>;

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
