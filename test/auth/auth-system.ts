import { ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AuthService, DatasourceService } from "../../gen/portcullis/auth/v1/auth_pb.ts";
import { hashPassword } from "../../services/auth/login/password-hash.ts";
import { runSql } from "../fixtures/postgres.ts";
import { PATIENCE, startSystem, TOKENS } from "../fixtures/services.ts";

/** Auth and the limiter behind one trusted proxy, so that a test can be any client. */
export async function startAuthSystem(environment: Readonly<Record<string, string>> = {}) {
  return await startSystem({
    services: ["limiter", "auth"],
    environment: { API_TRUST_PROXY_HOPS: "1", ...PATIENCE, ...environment },
  });
}

let addresses = 0;

/** An address that no other client of this run has. */
export function freshAddress(): string {
  addresses += 1;
  return `198.51.${addresses >> 8}.${addresses & 255}`;
}

/** Who a test client is to auth. */
export type Caller = { address?: string; bearer?: string };

/** The generated clients over HTTP/1.1, as one client at one address. */
export function connectTo(url: string, caller: Caller = {}) {
  const { address = freshAddress(), bearer } = caller;
  const identify: Interceptor = (next) => async (request) => {
    request.header.set("x-forwarded-for", address);
    if (bearer !== undefined) request.header.set("authorization", `Bearer ${bearer}`);
    return await next(request);
  };
  const transport = createConnectTransport({
    baseUrl: url,
    httpVersion: "1.1",
    interceptors: [identify],
  });
  return {
    address,
    auth: createClient(AuthService, transport),
    datasources: createClient(DatasourceService, transport),
  };
}

export type Credentials = { email: string; password: string };

let accounts = 0;

/** Makes an account of its own for a test, which may read `demo-private`. */
export async function createAccount(databaseUrl: string): Promise<Credentials & { id: string }> {
  accounts += 1;
  const email = `account-${accounts}@portcullis.test`;
  const password = `password of ${email}`;
  const [row] = await runSql<{ id: string }>(
    databaseUrl,
    `with account as (
       insert into auth.accounts (email, password_hash, created_at)
       values ($1, $2, now()) returning id
     ), reader as (
       insert into auth.datasource_readers (datasource, account_id)
       select 'demo-private', id from account
     )
     select id from account`,
    [email, await hashPassword(password)],
  );
  return { email, password, id: row?.id ?? "" };
}

/** Signs in, from an address of its own unless told otherwise. */
export async function signIn(url: string, { email, password }: Credentials, caller: Caller = {}) {
  const { auth } = connectTo(url, caller);
  const { accessToken, refreshToken } = await auth.login({ email, password });
  return { accessToken, refreshToken, ...connectTo(url, { bearer: accessToken }) };
}

/** Posts JSON to an internal endpoint, as the gateway unless told otherwise. */
export async function callInternal(
  url: string,
  endpoint: "datasource-introspect" | "revoked-tokens" | "rate-limit/consume",
  body: unknown,
  token: string = TOKENS.gateway,
) {
  const response = await fetch(`${url}/internal/gateway/${endpoint}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${token}`,
      "x-forwarded-for": freshAddress(),
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const answer: unknown = await response.json();
  return { status: response.status, retryAfter: response.headers.get("retry-after"), answer };
}

/** The error of a call that is expected to fail. */
export async function rejection(call: Promise<unknown>): Promise<ConnectError> {
  return await call.then(
    () => {
      throw new Error("the call was expected to fail");
    },
    (error: unknown) => ConnectError.from(error),
  );
}
