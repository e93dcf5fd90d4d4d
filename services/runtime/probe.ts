import { createHmac, timingSafeEqual } from "node:crypto";
import type { Secret } from "./secret.ts";

/** Marks a request of the operator's whose derivation is to be remembered for a moment. */
export const PROBE_HEADER = "x-portcullis-probe";

/** 128 bits: nobody guesses the nonce of somebody else's probe. */
export const PROBE_NONCE_BYTES = 16;

const NONCE = /^[0-9a-f]{32}$/;
const SIGNED = /^([0-9a-f]{32})\.([0-9a-f]{64})$/;
/** Keeps these signatures apart from anything else the token may ever sign. */
const PURPOSE = "portcullis-probe:";

/** The header value of a probe: proves the operator's token without carrying it through proxies. */
export function signProbe(nonce: string, operatorToken: Secret): string {
  return `${nonce}.${signatureOf(nonce, operatorToken).toString("hex")}`;
}

/** The nonce of a probe that one of the operator's tokens has signed; undefined for all others. */
export function readProbe(
  header: string | undefined,
  operatorTokens: readonly Secret[],
): string | undefined {
  const [, nonce, signature] = SIGNED.exec(header ?? "") ?? [];
  if (nonce === undefined || signature === undefined) return undefined;
  const given = Buffer.from(signature, "hex");
  const isSigned = operatorTokens.some((token) =>
    timingSafeEqual(signatureOf(nonce, token), given),
  );
  return isSigned ? nonce : undefined;
}

/** Whether a text can be the nonce of a probe. */
export function isProbeNonce(text: string): boolean {
  return NONCE.test(text);
}

function signatureOf(nonce: string, token: Secret): Buffer {
  return createHmac("sha256", token.reveal()).update(`${PURPOSE}${nonce}`).digest();
}
