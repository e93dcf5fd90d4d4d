import type { Clock } from "../runtime/clock.ts";
import { isDatasourceName } from "../runtime/datasource-name.ts";
import type { PostgresPool } from "../runtime/postgres.ts";
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
  { db, signer, clock }: { db: PostgresPool; signer: TokenSigner; clock: Clock },
  token: string,
): Promise<Introspection> {
  const claims = await verifyDatasourceToken(signer, token, clock.nowMs());
  if (claims === undefined || !(await isTokenLive(db, claims.jti))) return { active: false };
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
  db: PostgresPool,
  datasource: string,
): Promise<Introspection> {
  if (!isDatasourceName(datasource)) return { active: false };
  const accessVersion = await findPublicDatasource(db, datasource);
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
