import {
  openToAnyone,
  PLAIN_GET,
  type RoutePolicies,
  type RoutePolicy,
  SMALL_MESSAGE,
} from "../runtime/way-in/route-policy.ts";
import { DATASOURCES_MAX } from "./internal/introspect-route.ts";
import { MINTS_MAX } from "./rpc/mint-tokens.ts";

/** Many times the largest question of the gateway, which is mostly a token. */
const SERVICE_BODY_BYTES_MAX = 65_536;

function forService(caller: string, ...charges: readonly string[]): RoutePolicy {
  return {
    callers: [caller],
    others: "unknown",
    bodyBytesMax: SERVICE_BODY_BYTES_MAX,
    ...SMALL_MESSAGE,
    charges,
  };
}

/** The door that edges forward to. They do not forward the routes of the gateway. */
export const PUBLIC_DOOR: RoutePolicies = {
  "POST /portcullis.auth.v1.AuthService/Login": openToAnyone(
    "login.ip",
    "login.account.network",
    "login.account",
    "login.account.known",
  ),
  "POST /portcullis.auth.v1.AuthService/Refresh": openToAnyone("refresh.ip", "refresh.session"),
  "POST /portcullis.auth.v1.AuthService/Logout": openToAnyone("refresh.ip", "refresh.session"),
  "POST /portcullis.auth.v1.DatasourceService/MintToken": openToAnyone(
    "mint.user",
    "mint.public.ip",
    "credential.ip",
  ),
  "POST /portcullis.auth.v1.DatasourceService/MintTokens": {
    ...openToAnyone("mint.user", "mint.public.ip", "credential.ip"),
    elementsMax: 128,
    listEntriesMax: MINTS_MAX,
  },
  "POST /portcullis.auth.v1.DatasourceService/RevokeToken": openToAnyone(
    "revoke.ip",
    "credential.ip",
  ),
  "POST /portcullis.identity.v1.IdentityService/WhoIsCalling": forService("operator"),
  "POST /internal/gateway/datasource-introspect": {
    ...forService("gateway", "introspect.caller"),
    // Each datasource, and the message around them.
    elementsMax: 2 * DATASOURCES_MAX,
    listEntriesMax: DATASOURCES_MAX,
  },
  "POST /internal/gateway/revoked-tokens": forService("gateway", "revocations.caller"),
  "POST /internal/gateway/rate-limit/consume": forService("gateway", "the named policy"),
  "GET /.well-known/jwks.json": PLAIN_GET,
};

/** The door of operators; no edge forwards to it. */
export const ADMIN_DOOR: RoutePolicies = {
  "POST /portcullis.auth.v1.DatasourceService/Put": forService("operator"),
};
