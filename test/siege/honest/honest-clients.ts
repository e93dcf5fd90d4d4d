import { setTimeout as sleep } from "node:timers/promises";
import { TOKENS } from "../../fixtures/services.ts";
import type { Doors } from "../doors.ts";
import { createHttpCaller, problemOf } from "../http-call.ts";
import { createHonestCalls } from "./honest-calls.ts";
import { HonestRecord } from "./honest-record.ts";
import { PATIENCE_MS } from "./honest-stream.ts";
import {
  HonestPage,
  revokeAndWait,
  type StreamOptions,
  visit,
  type Want,
} from "./honest-streams.ts";
import { createHonestUsers, type HonestUser, OWNERS } from "./honest-users.ts";

/** Enough that each stays within its own limits for as long as a siege lasts. */
const USERS = 40;
const PAGES = 8;
const SOCKETS_MAX = 32;
/** The sign-ins before a siege go a few at a time. */
const SIGN_INS_AT_ONCE = 4;

/** What honest clients do, and how often. */
const EVERY_MS = {
  login: 650,
  refresh: 900,
  mint: 300,
  consume: 120,
  consumeAtAuth: 500,
  publish: 300,
  visit: 700,
  revoke: 2_500,
  renew: 5_000,
  readiness: 1_000,
} as const;

export type HonestClients = {
  record: HonestRecord;
  /** While attackers guess at the owners' accounts, these are the ones who sign in. */
  setFocus(focus: "everybody" | "owners"): void;
  /** Another limiter that takes honest calls too. */
  setSecondLimiter(url: string | undefined): void;
  stop(): Promise<void>;
};

/** Lets known users go about their business from an address of their own until stopped. */
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

  const state: State = { focus: "everybody", secondLimiter: undefined };
  const business = createBusiness({ users, pages, streams, doors, state });
  const stopping = new AbortController();
  const loops = Object.entries(EVERY_MS).map(([name, everyMs]) =>
    repeat(everyMs, stopping.signal, business[name as keyof typeof EVERY_MS]),
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

type State = { focus: "everybody" | "owners"; secondLimiter: string | undefined };

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

/** What is done each time; `round` counts the times. */
type Business = Readonly<Record<keyof typeof EVERY_MS, (round: number) => Promise<unknown>>>;

function createBusiness(options: {
  users: readonly HonestUser[];
  pages: readonly HonestPage[];
  streams: StreamOptions;
  doors: Doors;
  state: State;
}): Business {
  const { users, pages, streams, doors, state } = options;
  const { calls, want } = streams;
  const userOf = (round: number): HonestUser => elementOf(users, round);
  return {
    login: (round) => {
      const user = userOf(state.focus === "owners" ? round % OWNERS : round);
      return want("login", () => calls.login(user));
    },
    // From the other end, so that a session is not refreshed while it is replaced.
    refresh: async (round) => {
      const user = userOf(USERS - 1 - (round % (USERS - OWNERS)));
      if (user.refreshToken !== "") await want("refresh", () => calls.refresh(user));
    },
    mint: async (round) => {
      const user = userOf(round);
      await Promise.all([
        want("mint private", () => calls.mint(user, "demo-private", user.accessToken)),
        want("mint public", () => calls.mint(user, "demo")),
      ]);
    },
    consume: async (round) => {
      const caller = round % 2 === 0 ? "gateway" : "operator";
      const token = TOKENS[caller];
      const { secondLimiter } = state;
      await Promise.all([
        want(`consume as ${caller}`, () => calls.consume(doors.limiter, token, keyOf(round))),
        secondLimiter === undefined
          ? undefined
          : want("consume (second)", () => calls.consume(secondLimiter, token, keyOf(round))),
      ]);
    },
    consumeAtAuth: (round) =>
      want("consume at auth", () => calls.consumeAtAuth(keyOf(round + KEYS / 2))),
    publish: async (round) => {
      const datasource = round % 2 === 0 ? "demo" : "demo-private";
      const offset = await want("publish", () => calls.publish(datasource, { round }));
      if (offset === undefined) return;
      await Promise.all(pages.map((page) => page.expect(datasource, offset)));
    },
    visit: (round) => visit(userOf(round + PAGES), streams),
    revoke: (round) => revokeAndWait(userOf(round + 2 * PAGES), streams),
    renew: async (round) => {
      await Promise.all(pages.map((page) => page.join()));
      await elementOf(pages, round).renew();
    },
    readiness: async () => {
      const { auth, limiter, gatewayRpc } = doors;
      await Promise.all(
        Object.entries({ auth, limiter, gateway: gatewayRpc }).map(([name, url]) =>
          want(`readiness of ${name}`, () => calls.readiness(url)),
        ),
      );
    },
  };
}

/** Enough that no key comes back before its bucket has refilled. */
const KEYS = 10_000;

function keyOf(round: number): string {
  const key = round % KEYS;
  return `198.18.${key >> 8}.${key & 255}`;
}

function elementOf<T>(list: readonly T[], index: number): T {
  const element = list[index % list.length];
  if (element === undefined) throw new Error("an empty list");
  return element;
}

/** Starts something at a steady pace, also while earlier rounds are under way; then waits for all. */
async function repeat(
  everyMs: number,
  signal: AbortSignal,
  run: (round: number) => Promise<unknown>,
): Promise<void> {
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
