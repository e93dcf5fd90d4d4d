import { TOKENS } from "../../fixtures/services.ts";
import { type Bounds, OWN_SHARE } from "../attack.ts";
import type { DoorName } from "../doors.ts";
import { emailOf, OWNERS } from "../honest/honest-users.ts";
import { type Random, strangerAddress } from "../random.ts";
import { bogusJwt, bogusRefreshToken } from "./bogus.ts";

/** One request of a flood. */
export type FloodRequest = {
  door: DoorName;
  path: string;
  method?: string;
  headers?: Readonly<Record<string, string>>;
  body?: object;
  /** The address that the proxy sends; undefined uses a new one for each request. */
  from?: string;
};

export type Flood = {
  title: string;
  perSecond: number;
  /** The number of requests sent together instead of one after another. */
  burstEveryMs?: number;
  bounds?: Partial<Bounds>;
  focus?: "owners";
  request(random: Random, round: number): FloodRequest;
};

const AUTH = "/portcullis.auth.v1.AuthService";
const DATASOURCES = "/portcullis.auth.v1.DatasourceService";
const IDENTITY = "/portcullis.identity.v1.IdentityService/WhoIsCalling";
const ONE_ADDRESS = "203.0.113.66";

const login = (email: string, password: string, from?: string): FloodRequest => ({
  door: "auth",
  path: `${AUTH}/Login`,
  body: { email, password },
  ...(from === undefined ? {} : { from }),
});
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** Every entrance open to strangers, at a rate above its limits. */
export const FLOODS: Readonly<Record<string, Flood>> = {
  "login-from-one-address": {
    title: "wrong logins from one address",
    perSecond: 250,
    request: (random) => login(`user-${random.below(500)}@siege.test`, "wrong", ONE_ADDRESS),
  },
  "login-from-rotating-addresses": {
    title: "wrong logins, each from another address",
    perSecond: 250,
    request: (random) => login(`user-${random.below(5_000)}@siege.test`, "wrong"),
  },
  "login-to-known-accounts": {
    title: "guesses at a few accounts from everywhere, while their owners sign in",
    perSecond: 150,
    focus: "owners",
    request: (random, round) => login(emailOf(round % OWNERS), `guess ${random.below(1e9)}`),
  },
  "login-in-bursts": {
    title: "two hundred logins at once, again and again",
    perSecond: 100,
    burstEveryMs: 2_000,
    request: (random) => login(`user-${random.below(5_000)}@siege.test`, "wrong"),
  },
  "consume-in-bursts": {
    title: "a caller of the limiter that starts cold, a thousand requests at once",
    perSecond: 500,
    burstEveryMs: 2_000,
    bounds: OWN_SHARE,
    request: (random) => ({
      door: "limiter",
      path: "/portcullis.limiter.v1.LimiterService/Consume",
      headers: bearer(TOKENS.operator),
      body: { buckets: [{ policy: "login.account", key: `burst-${random.below(1e9)}` }] },
    }),
  },
  "login-with-long-fields": {
    title: "logins with the longest e-mail addresses and passwords",
    perSecond: 100,
    request: (random) =>
      login(`${"e".repeat(230)}${random.below(1e6)}@siege.test`, "p".repeat(1_024)),
  },
  "refresh-from-one-address": {
    title: "refresh tokens that never were, from one address",
    perSecond: 450,
    request: (random) => ({
      door: "auth",
      path: `${AUTH}/Refresh`,
      body: { refreshToken: bogusRefreshToken(random) },
      from: ONE_ADDRESS,
    }),
  },
  "refresh-from-rotating-addresses": {
    title: "refresh tokens that never were, each from another address",
    perSecond: 450,
    request: (random) => ({
      door: "auth",
      path: `${AUTH}/Refresh`,
      body: { refreshToken: bogusRefreshToken(random) },
    }),
  },
  logout: {
    title: "sign-outs of sessions that never were",
    perSecond: 450,
    request: (random, round) => ({
      door: "auth",
      path: `${AUTH}/Logout`,
      body: { refreshToken: bogusRefreshToken(random) },
      ...(round % 2 === 0 ? { from: ONE_ADDRESS } : {}),
    }),
  },
  "mint-public": {
    title: "public datasource tokens, from one address and from many",
    perSecond: 300,
    request: (_random, round) => ({
      door: "auth",
      path: `${DATASOURCES}/MintToken`,
      body: { datasource: round % 3 === 0 ? "demo" : `guess-${round}` },
      ...(round % 2 === 0 ? { from: ONE_ADDRESS } : {}),
    }),
  },
  "mint-with-forged-tokens": {
    title: "private datasource tokens under access tokens that nobody signed",
    perSecond: 300,
    request: (random) => ({
      door: "auth",
      path: `${DATASOURCES}/MintToken`,
      headers: bearer(bogusJwt(random, "at+jwt")),
      body: { datasource: "demo-private" },
    }),
  },
  "revoke-tokens": {
    title: "revocations without a right, of tokens and ids that never were",
    perSecond: 300,
    request: (random, round) => ({
      door: "auth",
      path: `${DATASOURCES}/RevokeToken`,
      ...(round % 2 === 0 ? { headers: bearer(bogusJwt(random, "at+jwt")) } : {}),
      body:
        round % 3 === 0
          ? { jti: crypto.randomUUID() }
          : { token: bogusJwt(random, "datasource+jwt") },
    }),
  },
  "operators-rpcs": {
    title: "the operators' RPCs under wrong tokens, at every door",
    perSecond: 400,
    request: (random, round) => {
      const doors = ["auth", "authAdmin", "limiter", "gatewayRpc", "gateway"] as const;
      const door = doors[round % doors.length] ?? "auth";
      const isPut = round % 3 === 0;
      return {
        door,
        path: isPut ? `${DATASOURCES}/Put` : IDENTITY,
        headers: bearer(random.bytes(24).toString("base64url")),
        body: isPut ? { datasource: "demo", visibility: "VISIBILITY_PRIVATE" } : {},
      };
    },
  },
  "internal-endpoints": {
    title: "the gateway's endpoints and the limiter without a token, or with a wrong one",
    perSecond: 400,
    request: (random, round) => {
      const paths = ["datasource-introspect", "rate-limit/consume", "revoked-tokens"] as const;
      const isLimiter = round % 2 === 0;
      return {
        door: isLimiter ? "limiter" : "auth",
        path: isLimiter
          ? "/portcullis.limiter.v1.LimiterService/Consume"
          : `/internal/gateway/${paths[round % paths.length] ?? ""}`,
        ...(round % 4 < 2 ? {} : { headers: bearer(random.bytes(24).toString("base64url")) }),
        body: { sessionToken: "x", policy: "realtime.connect.ip", key: "203.0.113.9" },
      };
    },
  },
  publish: {
    title: "updates of datasources without the publisher's token",
    perSecond: 300,
    request: (random, round) => ({
      door: round % 2 === 0 ? "gatewayRpc" : "gateway",
      path: "/portcullis.realtime.v1.PublishService/Publish",
      headers: bearer(random.bytes(24).toString("base64url")),
      body: { datasource: "demo", json: { filler: "x".repeat(2_000) } },
    }),
  },
  "plain-routes": {
    title: "keys, health, reasons, pre-flights and paths that do not exist",
    perSecond: 500,
    request: (_random, round) => plainRequest(round),
  },
};

function plainRequest(round: number): FloodRequest {
  const routes: readonly FloodRequest[] = [
    { door: "auth", method: "GET", path: "/.well-known/jwks.json" },
    { door: "auth", method: "GET", path: "/healthz" },
    { door: "auth", method: "GET", path: "/readyz" },
    { door: "limiter", method: "GET", path: "/healthz" },
    { door: "gateway", method: "GET", path: "/healthz" },
    { door: "gateway", method: "GET", path: "/gateway/realtime/why" },
    { door: "gatewayRpc", method: "GET", path: "/readyz" },
    { door: "gateway", method: "GET", path: `/${"a".repeat(round % 4_000)}` },
    { door: "auth", method: "OPTIONS", path: `${AUTH}/Login` },
    { door: "auth", method: "HEAD", path: "/healthz" },
    { door: "authAdmin", method: "GET", path: "/" },
  ];
  return routes[round % routes.length] ?? { door: "auth", path: "/" };
}

/** The addresses of a flood. */
export function addressOf(request: FloodRequest, random: Random): string {
  return request.from ?? strangerAddress(random);
}
