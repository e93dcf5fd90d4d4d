import { ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { expect, test } from "vitest";
import {
  AuthService,
  DatasourceService,
  Visibility,
} from "../../../gen/portcullis/auth/v1/auth_pb.ts";
import { createRequestRules } from "./request-rules.ts";

const NAME = "is not a datasource name";
const BAD_NAMES = ["", "Not A Name", ".a", "ä", "demo\n", "a".repeat(129), "a".repeat(15_000)];
const EMAIL = "demo@portcullis.test";

const CASES: readonly (readonly [string, (call: Calls) => Promise<unknown>, string])[] = [
  ...BAD_NAMES.map((datasource) => {
    const title = `MintToken for ${JSON.stringify(datasource.slice(0, 20))}`;
    const call = ({ datasources }: Calls) => datasources.mintToken({ datasource });
    return [title, call, `datasource: ${NAME}`] as const;
  }),
  ["MintTokens for none", (call) => call.mintMany(0), "datasources: must be 1 to 64 names"],
  ["MintTokens for 65", (call) => call.mintMany(65), "datasources: must be 1 to 64 names"],
  ["Put of a bad name", (call) => call.put("A", Visibility.PUBLIC), `datasource: ${NAME}`],
  [
    "Put without a visibility",
    (call) => call.put("a", Visibility.UNSPECIFIED),
    "visibility: must be public or private",
  ],
  [
    "RevokeToken of nothing",
    ({ datasources }) => datasources.revokeToken({}),
    "target: is required: token or jti",
  ],
  [
    "RevokeToken of a bad id",
    (call) => call.revoke("A".repeat(36)),
    "jti: is not the id of a token",
  ],
  [
    "Login without anything",
    (call) => call.login("", ""),
    "email: must be 1 to 254 bytes of an address",
  ],
  [
    "Login without a password",
    (call) => call.login(EMAIL, ""),
    "password: must have 1 to 1024 bytes",
  ],
  [
    "Login with a password of 1,025 bytes",
    (call) => call.login(EMAIL, `${"ü".repeat(512)}x`),
    "password: must have 1 to 1024 bytes",
  ],
];

test.each(CASES)("createRequestRules() refuses %s, and says why", async (_name, call, text) => {
  const error = await call(setup()).then(() => undefined, ConnectError.from);
  expect(error?.message).toBe(`[invalid_argument] ${text}`);
  expect(error?.details).toEqual([]);
});

test("createRequestRules() lets everything else pass", async () => {
  const calls = setup();
  await calls.login(EMAIL, "ü".repeat(512));
  await calls.datasources.mintToken({ datasource: `0${"a._-".repeat(31)}abc` });
  await calls.mintMany(64);
  await calls.put("a", Visibility.PRIVATE);
  await calls.revoke("00000000-0000-0000-0000-000000000000");
  await calls.datasources.revokeToken({ target: { case: "token", value: "" } });
  await calls.auth.refresh({});
});

type Calls = ReturnType<typeof setup>;

/** The services behind the rules, with an empty answer to whatever passes. */
function setup() {
  const services = [AuthService, DatasourceService];
  const transport = createRouterTransport(
    (router) => {
      router.service(AuthService, { login: empty, refresh: empty, logout: empty });
      router.service(DatasourceService, {
        mintToken: empty,
        mintTokens: empty,
        revokeToken: empty,
        put: empty,
      });
    },
    { router: { interceptors: [createRequestRules(services)] } },
  );
  const auth = createClient(AuthService, transport);
  const datasources = createClient(DatasourceService, transport);
  return {
    auth,
    datasources,
    login: (email: string, password: string) => auth.login({ email, password }),
    mintMany: (length: number) =>
      datasources.mintTokens({ datasources: Array.from({ length }, () => "Any Text") }),
    put: (datasource: string, visibility: Visibility) =>
      datasources.put({ datasource, visibility }),
    revoke: (jti: string) => datasources.revokeToken({ target: { case: "jti", value: jti } }),
  };
}

function empty() {
  return {};
}
