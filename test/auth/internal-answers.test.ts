import { expect, onTestFinished, test } from "vitest";
import { writePolicies } from "../fixtures/policies.ts";
import { runSql } from "../fixtures/postgres.ts";
import { createAccount, signIn, startAuthSystem } from "./auth-system.ts";
import { type InternalRequest, REQUESTS, recordAnswer } from "./internal-answers.ts";

/** The answers that gateways of every release rely on. */
const RECORDED = "./internal-answers.recorded.txt";

const INTROSPECT = "datasource-introspect";
const CONSUME: InternalRequest = {
  path: "rate-limit/consume",
  body: '{"policy":"realtime.connect.ip","key":"203.0.113.9","cost":1}',
};

test("the gateway's endpoints answer with the same bytes as ever", async () => {
  const exchanges = [...(await ordinary()), ...(await limited()), ...(await withoutDecision())];
  await expect(exchanges.join("\n")).toMatchFileSnapshot(RECORDED);
});

async function ordinary(): Promise<string[]> {
  const system = await startAuthSystem();
  onTestFinished(system.stop);
  const exchanges: string[] = [];
  const ask = async (request: InternalRequest, shown = request.body) => {
    exchanges.push(exchange(request, shown, await recordAnswer(system.urls.auth, request)));
  };
  for (const request of REQUESTS) await ask(request);

  const account = await createAccount(system.databaseUrl);
  const { datasources } = await signIn(system.urls.auth, account);
  const { token } = await datasources.mintToken({ datasource: "demo-private" });
  const withToken = { path: INTROSPECT, body: JSON.stringify({ sessionToken: token }) } as const;
  await ask(withToken, '{"sessionToken":"<a token>"}');
  await datasources.revokeToken({ target: { case: "token", value: token } });
  await ask(withToken, '{"sessionToken":"<the same token, revoked>"}');
  // Not a whole second: trailing zeros of the fraction are part of the answer.
  await runSql(
    system.databaseUrl,
    "update auth.revocations set revoked_at = '2030-01-01T00:00:00.120Z'",
    [],
  );
  await ask({ path: "revoked-tokens", body: '{"sinceCursor":null,"limit":1}' });
  await ask({ path: "revoked-tokens", body: '{"sinceCursor":"noise","limit":100}' });

  const broken = "alter table auth.revocation_log rename to away";
  await runSql(system.databaseUrl, broken, []);
  await ask({ path: "revoked-tokens", body: '{"limit":2}' });
  return exchanges;
}

async function limited(): Promise<string[]> {
  const policies = await writePolicies((yaml) => yaml.replace("limit: 60000", "limit: 1"));
  onTestFinished(policies.remove);
  const system = await startAuthSystem(policies.environment);
  onTestFinished(system.stop);
  const request = { path: INTROSPECT, body: '{"sessionToken":"limited"}' } as const;
  await recordAnswer(system.urls.auth, request);
  return [exchange(request, request.body, await recordAnswer(system.urls.auth, request))];
}

/** Without the limiter: closed, and then open. */
async function withoutDecision(): Promise<string[]> {
  const open = {
    SECURITY_LIMITER_FAILURE_MODE: "fail-open",
    REALTIME_LIMITER_FAILURE_MODE: "fail-open",
  };
  const exchanges: string[] = [];
  for (const environment of [{}, open]) {
    const system = await startAuthSystem(environment);
    onTestFinished(system.stop);
    await system.services.limiter.kill("SIGKILL");
    for (const request of [
      CONSUME,
      { path: INTROSPECT, body: '{"datasource":"demo"}' } as const,
      { path: "revoked-tokens", body: '{"limit":3}' } as const,
    ]) {
      const answer = await recordAnswer(system.urls.auth, request);
      exchanges.push(exchange(request, `${request.body} without the limiter`, answer));
    }
  }
  return exchanges;
}

/** Each request and its answer, as they are kept. */
function exchange({ path }: InternalRequest, shown: string, answer: string): string {
  return `> ${path} ${shown}\n${answer}\n`;
}
