import type { Random } from "../random.ts";

/** A text shaped like a refresh token. */
export function bogusRefreshToken(random: Random): string {
  return random.bytes(32).toString("base64url");
}

/** A text shaped like a signed token, with a wrong signature. */
export function bogusJwt(random: Random, type: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const header = part({ alg: "EdDSA", typ: type, kid: random.bytes(8).toString("hex") });
  const claims = part({
    iss: "portcullis",
    sub: crypto.randomUUID(),
    jti: crypto.randomUUID(),
    exp: 4_000_000_000,
  });
  return `${header}.${claims}.${random.bytes(64).toString("base64url")}`;
}
