import { setTimeout as sleep } from "node:timers/promises";
import type { Doors } from "../doors.ts";
import { createHttpCaller, problemOf } from "../http-call.ts";
import { type Business, type BusinessOptions, honestBusiness } from "./honest-business.ts";
import { createHonestCalls } from "./honest-calls.ts";
import { HonestRecord } from "./honest-record.ts";
import { PATIENCE_MS } from "./honest-stream.ts";
import { HonestPage, type StreamOptions, type Want } from "./honest-streams.ts";
import { createHonestUsers, type HonestUser } from "./honest-users.ts";

/** Enough clients for each to stay within its limits during a siege. */
const USERS = 40;
const PAGES = 8;
const SOCKETS_MAX = 32;
/** The sign-ins before a siege run a few at a time. */
const SIGN_INS_AT_ONCE = 4;

export type HonestClients = {
  record: HonestRecord;
  /** The users who sign in while attackers guess at these accounts. */
  setFocus(focus: "everybody" | "owners"): void;
  /** A second limiter that serves honest calls. */
  setSecondLimiter(url: string | undefined): void;
  stop(): Promise<void>;
};

/** Runs honest users, each from its own address, until stopped. */
export async function startHonestClients(options: {
  doors: Doors;
  databaseUrl: string;
  localAddress: string;
}): Promise<HonestClients> {
  const { doors, localAddress } = options;
  const http = createHttpCaller({ localAddress, socketsMax: SOCKETS_MAX, timeoutMs: PATIENCE_MS });
  const calls = createHonestCalls(doors, http);
  const record = new HonestRecord();
  const want = createWant(record);
  const users = await createHonestUsers(options.databaseUrl, USERS);
  await signInAll(users, calls.login);
  const streams: StreamOptions = { gateway: doors.gateway, localAddress, calls, want };
  const pages = users
    .slice(0, PAGES)
    .map((user, index) => new HonestPage(user, index % 2 === 0 ? "demo" : "demo-private", streams));
  for (const page of pages) await page.join();

  const state: BusinessOptions["state"] = { focus: "everybody", secondLimiter: undefined };
  const stopping = new AbortController();
  const loops = honestBusiness({ users, pages, streams, doors, state }).map((business) =>
    repeat(business, stopping.signal),
  );
  return {
    record,
    setFocus: (focus) => {
      state.focus = focus;
    },
    setSecondLimiter: (url) => {
      state.secondLimiter = url;
    },
    async stop() {
      stopping.abort();
      await Promise.all(loops);
      for (const page of pages) page.leave();
      http.close();
    },
  };
}

function createWant(record: HonestRecord): Want {
  return async (kind, run) => {
    const startedAtMs = performance.now();
    const add = (refusal?: string) =>
      record.add({ kind, tookMs: performance.now() - startedAtMs, refusal });
    try {
      const result = await run();
      add();
      return result;
    } catch (error) {
      add(problemOf(error));
      return undefined;
    }
  };
}

/**
 * Starts work at a steady pace, even while earlier rounds are in flight; then waits for all of it.
 */
async function repeat({ everyMs, run }: Business, signal: AbortSignal): Promise<void> {
  const running = new Set<Promise<unknown>>();
  for (let round = 0; !signal.aborted; round++) {
    const one: Promise<unknown> = run(round).finally(() => running.delete(one));
    running.add(one);
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
  await Promise.allSettled(running);
}

async function signInAll(
  users: readonly HonestUser[],
  login: (user: HonestUser) => Promise<void>,
): Promise<void> {
  for (let at = 0; at < users.length; at += SIGN_INS_AT_ONCE) {
    await Promise.all(users.slice(at, at + SIGN_INS_AT_ONCE).map((user) => login(user)));
  }
}
