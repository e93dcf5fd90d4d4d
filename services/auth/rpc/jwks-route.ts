import { type HttpHandler, sendJson } from "../../runtime/serve.ts";
import type { SigningKey } from "../tokens/signing-key.ts";

/** Verifiers see a new key within this time. */
const MAX_AGE_SECONDS = 300;

/** Publishes the public halves of the signing keys, so that anybody can verify our signatures. */
export function createJwksRoute(keys: readonly SigningKey[]): HttpHandler {
  const body = { keys: keys.map((key) => key.publicJwk) };
  const headers = { "cache-control": `public, max-age=${MAX_AGE_SECONDS}` };
  return ({ response }) => sendJson(response, 200, body, headers);
}
