import { createHmac, timingSafeEqual } from "node:crypto";
import type { Secret } from "./secret.ts";

/** Marks a request of the operator. The service remembers for a while what it derived for it. */
export const PROBE_HEADER = "x-portcullis-probe";

/** 128 bits, so that nobody can guess the nonce of another probe. */
export const PROBE_NONCE_BYTES = 16;

const NONCE = /^[0-9a-f]{32}$/;
const SIGNED = /^([0-9a-f]{32})\.([0-9a-f]{64})$/;
/** Keeps these signatures apart from any others that the token may sign. */
const PURPOSE = "portcullis-probe:";

/** The header value of a probe: proves the operator's token without carrying it through proxies. */
export function signProbe(nonce: string, operatorToken: Secret): string {
  return `${nonce}.${signatureOf(nonce, operatorToken).toString("hex")}`;
}

/** The nonce of a probe signed with an operator's token; undefined for any other header. */
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
