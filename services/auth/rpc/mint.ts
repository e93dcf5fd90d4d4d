import { randomUUID } from "node:crypto";
import type { LimiterClient } from "../../../clients/limiter/limiter-client.ts";
import type { ClientIp } from "../../runtime/client-ip.ts";
import type { Clock } from "../../runtime/clock.ts";
import { isDatasourceName } from "../../runtime/datasource-name.ts";
import type { Queryable } from "../../runtime/postgres.ts";
import { mintBuckets } from "../login/limits.ts";
import { invalid, requireAllowed } from "../refusal.ts";
import type { Database } from "../store/database.ts";
import { recordMintedTokens } from "../store/minted-token-store.ts";
import type { Principal } from "../tokens/access-token.ts";
import { PUBLIC_SUBJECT, signDatasourceToken } from "../tokens/datasource-token.ts";
import { expiryOf, type TokenSigner } from "../tokens/signed-token.ts";

export type MintOptions = {
  db: Database;
  limiter: LimiterClient;
  signer: TokenSigner;
  datasourceTokenTtlMs: number;
  clock: Clock;
};

export type MintOutcome =
  | { kind: "minted"; token: string; expiresAtMs: number }
  | { kind: "bad-name" }
  /** For anonymous callers, whether the name is private or unknown. */
  | { kind: "sign-in-first" }
  | { kind: "not-found" };

/**
 * Mints a token for each datasource, in their order, with one decision of the limiter, which costs
 * as much as that many requests, and one statement. `signed-out` if the login session has ended.
 */
export async function mint(
  options: MintOptions,
  request: {
    client: ClientIp;
    principal: Principal | undefined;
    datasources: readonly string[];
  },
): Promise<readonly MintOutcome[] | "signed-out"> {
  const { db, limiter, signer, datasourceTokenTtlMs, clock } = options;
  const { client, principal, datasources } = request;
  const cost = datasources.length;
  // One token is never too many: if the limiter refuses that, it is a bug of ours.
  const isForwarded = cost > 1;
  const verdict = await limiter.consume(mintBuckets(client, principal, cost), { isForwarded });
  if (verdict.kind === "no-decision" && verdict.refusal?.code === "invalid_argument") {
    throw invalid("datasources", "are more than the limits let pass at once");
  }
  const receipt = requireAllowed(verdict, "minting");

  const nowMs = clock.nowMs();
  const tokens = datasources.map((datasource) => ({ jti: randomUUID(), datasource }));
  const wanted = tokens.filter(({ datasource }) => isDatasourceName(datasource));
  const expiresAt = new Date(expiryOf(nowMs, datasourceTokenTtlMs));
  const now = new Date(nowMs);
  const record = async (queryable: Queryable) =>
    await recordMintedTokens(queryable, { wanted, principal, now, expiresAt });
  const isKnown = principal !== undefined;
  const share = principal?.accountId ?? client.ip;
  const answer = await db
    .run(share, record, isKnown ? "known" : "stranger")
    .catch(async (error: unknown) => {
      // Strangers keep the charge if they were shed: it bounds their crowd.
      if (isKnown) await limiter.refund(receipt);
      throw error;
    });
  if (answer.kind === "signed-out") return "signed-out";

  const sign = async ({ jti, datasource }: (typeof tokens)[number]): Promise<MintOutcome> => {
    if (!isDatasourceName(datasource)) return { kind: "bad-name" };
    const accessVersion = answer.accessVersions.get(jti);
    if (accessVersion === undefined) {
      return { kind: principal === undefined ? "sign-in-first" : "not-found" };
    }
    const claims = {
      ...{ jti, datasource, accessVersion },
      subject: principal?.accountId ?? PUBLIC_SUBJECT,
      loginSession: principal?.loginSession,
    };
    const token = await signDatasourceToken(signer, claims, nowMs, datasourceTokenTtlMs);
    return { kind: "minted", token, expiresAtMs: expiresAt.getTime() };
  };
  return await Promise.all(tokens.map(sign));
}
