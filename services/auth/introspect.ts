import type { Clock } from "../runtime/clock.ts";
import { isDatasourceName } from "../runtime/datasource-name.ts";
import type { Queryable } from "../runtime/postgres.ts";
import type { Database } from "./database.ts";
import { findPublicDatasource } from "./datasource-store.ts";
import { DATASOURCE_SCOPE, PUBLIC_SUBJECT, verifyDatasourceToken } from "./datasource-token.ts";
import { isTokenLive } from "./minted-token-store.ts";
import type { TokenSigner } from "./signed-token.ts";

/** What a token or a public datasource allows now. */
export type Introspection =
  | { active: false }
  | {
      active: true;
      datasource: string;
      subject: string;
      scope: string;
      /** Null for a public datasource without a token, which has no end. */
      expiresAt: string | null;
      intent: {
        kind: "stream";
        datasource: string;
        accessVersion: string;
        loginSession: string | null;
      };
    };

/** Whether a token of ours counts at this moment. Noise costs no database work. */
export async function introspectToken(
  { db, signer, clock }: { db: Database; signer: TokenSigner; clock: Clock },
  caller: string,
  token: string,
): Promise<Introspection> {
  const claims = await verifyDatasourceToken(signer, token, clock.nowMs());
  if (claims === undefined) return { active: false };
  const isLive = await db.run(caller, async (queryable) => isTokenLive(queryable, claims.jti));
  if (!isLive) return { active: false };
  const { datasource, subject, accessVersion, loginSession = null, expiresAtMs } = claims;
  return {
    active: true,
    datasource,
    subject,
    scope: DATASOURCE_SCOPE,
    expiresAt: new Date(expiresAtMs).toISOString(),
    intent: { kind: "stream", datasource, accessVersion: String(accessVersion), loginSession },
  };
}

/** Whether a datasource may be streamed without a token; private and unknown look the same. */
export async function introspectDatasource(
  db: Database,
  caller: string,
  datasource: string,
): Promise<Introspection> {
  if (!isDatasourceName(datasource)) return { active: false };
  const find = async (queryable: Queryable) => await findPublicDatasource(queryable, datasource);
  const accessVersion = await db.run(caller, find);
  if (accessVersion === undefined) return { active: false };
  return {
    active: true,
    datasource,
    subject: PUBLIC_SUBJECT,
    scope: DATASOURCE_SCOPE,
    expiresAt: null,
    intent: { kind: "stream", datasource, accessVersion, loginSession: null },
  };
}
