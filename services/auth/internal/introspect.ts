import { fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import type { IntrospectionSchema } from "../../../gen/portcullis/auth/v1/gateway_pb.ts";
import type { Clock } from "../../runtime/clock.ts";
import { isDatasourceName } from "../../runtime/datasource-name.ts";
import type { Queryable } from "../../runtime/postgres.ts";
import type { Database } from "../store/database.ts";
import { findDatasources, findPublicDatasource } from "../store/datasource-store.ts";
import { isTokenLive } from "../store/minted-token-store.ts";
import {
  DATASOURCE_SCOPE,
  PUBLIC_SUBJECT,
  verifyDatasourceToken,
} from "../tokens/datasource-token.ts";
import type { TokenSigner } from "../tokens/signed-token.ts";

/** What the asker wants to do with a datasource. */
export type Intent = "stream" | "publish";

type Introspection = MessageInitShape<typeof IntrospectionSchema>;

const INACTIVE: Introspection = { active: false };

/** The scope of no token: only a publisher's own credential allows it. */
const PUBLISH_SCOPE = "datasource:publish";

/** Whether a token of ours counts at this moment. Noise costs no database work. */
export async function introspectToken(
  { db, signer, clock }: { db: Database; signer: TokenSigner; clock: Clock },
  caller: string,
  token: string,
): Promise<Introspection> {
  const claims = await verifyDatasourceToken(signer, token, clock.nowMs());
  if (claims === undefined) return INACTIVE;
  const isLive = await db.run(caller, async (queryable) => isTokenLive(queryable, claims.jti));
  if (!isLive) return INACTIVE;
  const { datasource, subject, accessVersion, loginSession = null, expiresAtMs } = claims;
  return {
    active: true,
    datasource,
    subject,
    scope: DATASOURCE_SCOPE,
    expiresAt: fromJson(ValueSchema, new Date(expiresAtMs).toISOString()),
    intent: {
      kind: "stream",
      datasource,
      accessVersion: BigInt(accessVersion),
      loginSession: fromJson(ValueSchema, loginSession),
    },
  };
}

/** Whether a datasource may be streamed without a token; private and unknown look the same. */
export async function introspectDatasource(
  db: Database,
  caller: string,
  datasource: string,
): Promise<Introspection> {
  if (!isDatasourceName(datasource)) return INACTIVE;
  const find = async (queryable: Queryable) => await findPublicDatasource(queryable, datasource);
  const accessVersion = await db.run(caller, find);
  if (accessVersion === undefined) return INACTIVE;
  return allow(datasource, accessVersion, "stream");
}

/**
 * The same for several datasources, in their order. To publish, it is enough that the datasource
 * exists: the gateway knows who may publish.
 */
export async function introspectDatasources(
  db: Database,
  caller: string,
  names: readonly string[],
  intent: Intent,
): Promise<Introspection[]> {
  const wanted = names.filter(isDatasourceName);
  const find = async (queryable: Queryable) => await findDatasources(queryable, wanted);
  const found = wanted.length === 0 ? [] : await db.run(caller, find);
  const open = found.filter(({ visibility }) => intent === "publish" || visibility === "public");
  const versions = new Map(open.map(({ name, accessVersion }) => [name, accessVersion]));
  return names.map((name) => {
    const version = versions.get(name);
    return version === undefined ? INACTIVE : allow(name, version, intent);
  });
}

function allow(datasource: string, accessVersion: string, intent: Intent): Introspection {
  const none = fromJson(ValueSchema, null);
  return {
    active: true,
    datasource,
    subject: PUBLIC_SUBJECT,
    scope: intent === "publish" ? PUBLISH_SCOPE : DATASOURCE_SCOPE,
    expiresAt: none,
    intent: {
      kind: intent,
      datasource,
      accessVersion: BigInt(accessVersion),
      loginSession: none,
    },
  };
}
