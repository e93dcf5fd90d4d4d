import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { AuthService } from "../../../gen/portcullis/auth/v1/auth_pb.ts";
import type { ClientIdentity } from "../../runtime/client-identity.ts";
import { peerKey } from "../../runtime/peer.ts";
import { createLoginCounter } from "../events.ts";
import { normaliseEmail } from "../login/email.ts";
import { type LoginOptions, type LoginOutcome, login } from "../login/login.ts";
import { invalid, limited, unavailable } from "../refusal.ts";
import { newDeviceId, signDeviceToken, verifyDeviceToken } from "../tokens/device-token.ts";
import type { TokenSigner } from "../tokens/signed-token.ts";
import type { IssueTokens } from "./issue-tokens.ts";
import { createLimitedLogins } from "./limited-logins.ts";

export type LoginRpcOptions = LoginOptions & { signer: TokenSigner; identify: ClientIdentity };

type SignedIn = Extract<LoginOutcome, { kind: "ok" }>;

/** Login: tokens in exchange for the password of an account. */
export function createLogin(
  options: LoginRpcOptions,
  issueTokens: IssueTokens,
): ServiceImpl<typeof AuthService>["login"] {
  const { clock, signer, identify } = options;
  const countLogin = createLoginCounter();
  const noteLimited = createLimitedLogins(options);

  const renewDevice = async ({ device, principal, deviceEpoch }: SignedIn) => {
    const id = device?.id ?? newDeviceId();
    const renewed = { id, accountId: principal.accountId, epoch: deviceEpoch };
    return { deviceToken: await signDeviceToken(signer, renewed, clock.nowMs()) };
  };

  return async (request, { values }) => {
    const { password, deviceToken } = request;
    const email = normaliseEmail(request.email);
    // The rule of the message sees the text as it was sent; this is what is left of it.
    if (email === undefined) throw invalid("email", "must be 1 to 254 bytes of an address");
    const client = identify(values.get(peerKey));
    // A device token that is not ours, or has ended, counts as none.
    const device = deviceToken
      ? await verifyDeviceToken(signer, deviceToken, clock.nowMs())
      : undefined;
    const outcome = await login(options, { email, password, client, device });
    countLogin(outcome.kind);
    if (outcome.kind === "limited") noteLimited({ email, ...outcome });
    if (outcome.kind !== "ok") throw refusalOf(outcome);
    const tokens = await issueTokens(outcome.principal, outcome.refreshToken);
    return deviceToken === undefined ? tokens : { ...tokens, ...(await renewDevice(outcome)) };
  };
}

function refusalOf(outcome: Exclude<LoginOutcome, SignedIn>): ConnectError {
  switch (outcome.kind) {
    case "refused":
      return new ConnectError("wrong e-mail address or password", Code.Unauthenticated);
    case "limited":
      return limited("too many attempts to sign in; try again later", outcome.retryAfterMs);
    case "unavailable":
      return unavailable("Login is temporarily unavailable", outcome.retryAfterMs);
  }
}
