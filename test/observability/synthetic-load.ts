import { call, textOf } from "../fixtures/call.ts";
import { publish } from "../fixtures/publish.ts";
import { type RealtimeConnection, tryConnect } from "../fixtures/realtime-connection.ts";
import { type ServiceUrls, TOKENS } from "../fixtures/services.ts";
import { mint, signIn } from "../fixtures/sign-in.ts";

/** Private values of one client: none may appear in metrics, logs or traces. */
export const MARKED = {
  address: "198.51.100.77",
  address6: "2001:db8:77:77::77",
  email: "marked-7f3a@accounts.test",
  password: "marked-password-7f3a",
  datasource: "marked-datasource-7f3a",
  forwardedByClient: "203.0.113.177",
  token: "marked-token-7f3a",
  json: "marked-value-7f3a",
} as const;

/** Above the limit of realtime.connect.ip per minute. */
const CONNECTS_OF_ONE_ADDRESS = 70;
/** Above the limit of login.account.network. */
const GUESSES = 8;
const CLIENTS = 12;

/** Secrets and names issued during the load, as private as those that were sent. */
export type Traces = { issued: readonly string[]; open: readonly RealtimeConnection[] };

/**
 * Runs a short load that touches every metric: sign-ins (right, wrong and over the limit), tokens,
 * upgrades of every outcome, streams, updates, and closes of every kind.
 */
export async function runSyntheticLoad(urls: ServiceUrls): Promise<Traces> {
  const issued: string[] = [];
  const marked = { "x-forwarded-for": MARKED.address };
  const accessToken = await signIn(urls, marked);
  const minted = await mint(urls, "demo-private", accessToken, marked);
  issued.push(accessToken, textOf(minted, "token"));
  await mint(urls, "demo", undefined, { "x-forwarded-for": MARKED.address6 });
  await mint(urls, MARKED.datasource, accessToken, marked);
  for (let guess = 0; guess < GUESSES; guess++) await guessPassword(urls);

  const open: RealtimeConnection[] = [];
  for (let client = 0; client < CLIENTS; client++) {
    const connection = await tryConnect(urls.gateway, {
      "x-forwarded-for": `198.51.100.${client}`,
    });
    if ("status" in connection) throw new Error(`refused with ${connection.status}`);
    const { hello } = await connection.waitFor("hello");
    issued.push(sessionIdOf(hello));
    await connection.request({ subscribe: { datasource: "demo" } });
    open.push(connection);
  }
  const [first] = open;
  await first?.request({
    subscribe: { datasource: "demo-private", token: textOf(minted, "token") },
  });
  await first?.request({ subscribe: { datasource: MARKED.datasource } });
  await first?.request({ subscribe: { datasource: "demo-private", token: MARKED.token } });
  for (let update = 0; update < CLIENTS; update++) {
    await publish(urls, "demo", { value: MARKED.json });
  }
  // These connections close in every way except politely; the others stay open.
  for (const connection of open.splice(0, CLIENTS / 2)) connection.close();
  await connectTooOften(urls);
  await fetch(`${urls.gateway}/gateway/realtime`);
  await call(
    `${urls.auth}/internal/gateway/datasource-introspect`,
    { sessionToken: MARKED.token },
    { token: TOKENS.gateway },
  );
  return { issued, open };
}

async function guessPassword(urls: ServiceUrls): Promise<void> {
  const url = `${urls.auth}/portcullis.auth.v1.AuthService/Login`;
  const { email, password, forwardedByClient, address } = MARKED;
  const headers = { "x-forwarded-for": `${forwardedByClient}, ${address}` };
  await call(url, { email, password }, { headers });
}

async function connectTooOften(urls: ServiceUrls): Promise<void> {
  const headers = { "x-forwarded-for": MARKED.address6 };
  const attempts = Array.from({ length: CONNECTS_OF_ONE_ADDRESS }, async () => {
    const connection = await tryConnect(urls.gateway, headers);
    if (!("status" in connection)) connection.close();
  });
  await Promise.all(attempts);
}

function sessionIdOf(hello: unknown): string {
  const isHello = typeof hello === "object" && hello !== null && "sessionId" in hello;
  return isHello ? String(hello.sessionId) : "";
}
