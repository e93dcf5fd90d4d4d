import { expect, onTestFinished, test } from "vitest";
import { createLimiterClient } from "../../clients/limiter/create-limiter-client.ts";
import { loadStandIn } from "../../clients/limiter/stand-in.ts";
import { API_POLICIES } from "../../services/auth/login/limits.ts";
import { login } from "../../services/auth/login/login.ts";
import { createLoginTurns } from "../../services/auth/login/login-turns.ts";
import { createNetworkDigests } from "../../services/auth/login/network-digest.ts";
import { hashPassword } from "../../services/auth/login/password-hash.ts";
import { RecentNetworks } from "../../services/auth/login/recent-networks.ts";
import { RecentRefunds } from "../../services/auth/login/recent-refunds.ts";
import { createDatabase } from "../../services/auth/store/database.ts";
import { FairQueue } from "../../services/auth/store/fair-queue.ts";
import { createRefreshTokens } from "../../services/auth/tokens/refresh-token.ts";
import {
  createSigningKey,
  generatePrivateKey,
  parsePrivateKey,
} from "../../services/auth/tokens/signing-key.ts";
import type { ClientIp } from "../../services/runtime/client-ip.ts";
import { systemClock } from "../../services/runtime/clock.ts";
import { createLogger } from "../../services/runtime/log.ts";
import { Secret } from "../../services/runtime/secret.ts";
import { TOKENS } from "../fixtures/services.ts";
import { createAccount, freshAddress, startAuthSystem } from "./auth-system.ts";

test("login() without room to hash is unavailable, and such attempts count against nobody", async () => {
  const { account, options } = await setup();
  const client: ClientIp = { ip: freshAddress(), class: "socket", entries: 0 };
  const attempt = { email: account.email, password: account.password, client };
  const release = occupy(options.hashing);
  for (let round = 0; round < 8; round++) {
    expect(await login(options, attempt)).toEqual({ kind: "unavailable", retryAfterMs: 1_000 });
  }
  release();
  expect(await login(options, attempt)).toMatchObject({
    kind: "ok",
    principal: { accountId: account.id },
  });
});

test("login() keeps room to hash for a network that signed in before", async () => {
  const { account, options } = await setup();
  const client: ClientIp = { ip: freshAddress(), class: "socket", entries: 0 };
  const attempt = { email: account.email, password: account.password, client };
  expect((await login(options, attempt)).kind).toBe("ok");
  const hashing = new FairQueue({
    ...{
      runningMax: 1,
      waitingMax: 1,
      shareWaitingMax: 1,
      waitMsMax: { known: 5_000, stranger: 5_000 },
    },
  });
  const release = occupy(hashing);
  const strangers = ["one", "two"].map((name) => {
    const guess = { email: `${name}@portcullis.test`, password: "x" };
    return login({ ...options, hashing }, { ...guess, client: { ...client, ip: freshAddress() } });
  });
  expect(await Promise.race(strangers)).toMatchObject({ kind: "unavailable" });
  const known = login({ ...options, hashing }, attempt);
  release();
  expect((await known).kind).toBe("ok");
  const kinds = (await Promise.all(strangers)).map(({ kind }) => kind);
  expect(kinds.sort()).toEqual(["refused", "unavailable"]);
});

/** Keeps the only place of a queue until released. */
function occupy(queue: FairQueue): () => void {
  let release = () => {};
  void queue.run({ lane: "stranger", share: "" }, async () => {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
  });
  return () => release();
}

async function setup() {
  const system = await startAuthSystem();
  onTestFinished(system.stop);
  const { log } = createLogger("auth", "silent");
  const db = createDatabase({
    ...{ url: system.databaseUrl, kind: "login", connectionsMax: 2, log },
  });
  onTestFinished(() => db.end());
  const limiter = createLimiterClient({
    url: system.urls.limiter,
    token: new Secret(TOKENS.auth),
    surface: "api",
    policies: API_POLICIES,
    failure: { mode: "fail-closed" },
    standIn: await loadStandIn({ ipv6PrefixBits: 64 }),
    timeoutMs: 5_000,
    log,
    clock: systemClock,
  });
  onTestFinished(() => limiter.close());
  const privateKey = parsePrivateKey(generatePrivateKey());
  if (privateKey === undefined) throw new Error("no key");
  const options = {
    ...{ db, auditDb: db, limiter, clock: systemClock, warn: () => undefined },
    hashing: new FairQueue({
      runningMax: 1,
      waitingMax: 0,
      shareWaitingMax: 0,
      waitMsMax: { known: 1_000, stranger: 1_000 },
    }),
    turns: createLoginTurns(),
    recentNetworks: new RecentNetworks(),
    recentRefunds: new RecentRefunds(),
    networkDigests: createNetworkDigests([await createSigningKey(privateKey)]),
    ipv6PrefixBits: 64,
    refreshTokens: createRefreshTokens(Buffer.alloc(32, 1)),
    dummyHash: await hashPassword("nobody's password"),
    isAlwaysClosed: false,
  };
  return { account: await createAccount(system.databaseUrl), options };
}
