import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { createLimiterClient } from "../../clients/limiter/limiter-client.ts";
import { loadStandIn } from "../../clients/limiter/stand-in.ts";
import { createBoundedQueue } from "../../services/auth/bounded-queue.ts";
import { API_POLICIES } from "../../services/auth/limits.ts";
import { login } from "../../services/auth/login.ts";
import { hashPassword } from "../../services/auth/password-hash.ts";
import type { ClientIp } from "../../services/runtime/client-ip.ts";
import { systemClock } from "../../services/runtime/clock.ts";
import { createLogger } from "../../services/runtime/log.ts";
import { Secret } from "../../services/runtime/secret.ts";
import { TOKENS } from "../fixtures/services.ts";
import { createAccount, freshAddress, startAuthSystem } from "./auth-system.ts";

test("login() without room to hash is unavailable, and such attempts count against nobody", async () => {
  const { account, options, hashing } = await setup();
  const client: ClientIp = { ip: freshAddress(), class: "socket", entries: 0 };
  const attempt = { email: account.email, password: account.password, client };
  const release = occupy(hashing);
  for (let round = 0; round < 8; round++) {
    expect(await login(options, attempt)).toEqual({ kind: "unavailable", retryAfterMs: 1_000 });
  }
  release();
  expect(await login(options, attempt)).toMatchObject({
    kind: "ok",
    principal: { accountId: account.id },
  });
});

/** Keeps the only place of a queue until released. */
function occupy(queue: ReturnType<typeof createBoundedQueue>): () => void {
  let release = () => {};
  void queue.run(
    () =>
      new Promise<void>((resolve) => {
        release = resolve;
      }),
  );
  return () => release();
}

async function setup() {
  const system = await startAuthSystem();
  onTestFinished(system.stop);
  const db = new pg.Pool({ connectionString: system.databaseUrl });
  onTestFinished(() => db.end());
  const log = createLogger("auth", "silent");
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
  const hashing = createBoundedQueue({ concurrencyMax: 1, waitingMax: 0 });
  const options = {
    db,
    limiter,
    hashing,
    dummyHash: await hashPassword("nobody's password"),
    isAlwaysClosed: false,
    clock: systemClock,
    log,
  };
  return { account: await createAccount(system.databaseUrl), options, hashing };
}
