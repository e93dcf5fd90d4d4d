import { randomUUID } from "node:crypto";
import type { TokenSigner } from "./signed-token.ts";
import { isUuid } from "./uuid.ts";

/** A device that signed in before and kept its token. */
export type Device = {
  id: string;
  accountId: string;
  /** The account's device epoch when the token was made. */
  epoch: number;
};

/** A device that is not used for this time is a stranger again. */
const DEVICE_TOKEN_TTL_MS = 90 * 24 * 60 * 60 * 1_000;

/**
 * Makes the token by which a device is known. It signs nobody in: it moves its holder's guesses to
 * a bucket of their own, no larger than a stranger's.
 */
export async function signDeviceToken(
  signer: TokenSigner,
  device: Device,
  issuedAtMs: number,
): Promise<string> {
  const claims = { sub: device.accountId, jti: device.id, epoch: device.epoch };
  return await signer.sign("portcullis-device", claims, issuedAtMs, DEVICE_TOKEN_TTL_MS);
}

/** Returns the device of a device token. The caller compares the epoch with that of the account. */
export async function verifyDeviceToken(
  signer: TokenSigner,
  token: string,
  nowMs: number,
): Promise<Device | undefined> {
  const { sub, jti, epoch } = (await signer.verify("portcullis-device", token, nowMs)) ?? {};
  if (!isUuid(sub) || !isUuid(jti) || typeof epoch !== "number") return undefined;
  return { id: jti, accountId: sub, epoch };
}

export function newDeviceId(): string {
  return randomUUID();
}
