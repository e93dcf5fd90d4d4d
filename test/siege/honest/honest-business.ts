import { TOKENS } from "../../fixtures/services.ts";
import type { Doors } from "../doors.ts";
import { type HonestPage, revokeAndWait, type StreamOptions, visit } from "./honest-streams.ts";
import { type HonestUser, OWNERS } from "./honest-users.ts";

/** A repeated activity of honest clients; `round` counts the repetitions. */
export type Business = { everyMs: number; run(round: number): Promise<unknown> };

export type BusinessOptions = {
  users: readonly HonestUser[];
  pages: readonly HonestPage[];
  streams: StreamOptions;
  doors: Doors;
  /** Read on each use. */
  state: { focus: "everybody" | "owners"; secondLimiter: string | undefined };
};

/** Enough keys for each bucket to refill before its key is used again. */
const KEYS = 10_000;

/** All activities, each within its own limits. */
export function honestBusiness(options: BusinessOptions): Business[] {
  return [...ofAccounts(options), ...ofStreams(options), ...ofServices(options)];
}

function ofAccounts({ users, streams: { calls, want }, state }: BusinessOptions): Business[] {
  return [
    {
      everyMs: 650,
      run: (round) => {
        const user = elementOf(users, state.focus === "owners" ? round % OWNERS : round);
        return want("login", () => calls.login(user));
      },
    },
    {
      everyMs: 900,
      // Starts from the last user, so that no session is refreshed while it is replaced.
      run: async (round) => {
        const user = elementOf(users, users.length - 1 - (round % (users.length - OWNERS)));
        if (user.refreshToken !== "") await want("refresh", () => calls.refresh(user));
      },
    },
    {
      everyMs: 300,
      run: async (round) => {
        const user = elementOf(users, round);
        await Promise.all([
          want("mint private", () => calls.mint(user, "demo-private", user.accessToken)),
          want("mint public", () => calls.mint(user, "demo")),
        ]);
      },
    },
  ];
}

function ofStreams({ users, pages, streams }: BusinessOptions): Business[] {
  const { calls, want } = streams;
  return [
    {
      everyMs: 300,
      run: async (round) => {
        const datasource = round % 2 === 0 ? "demo" : "demo-private";
        const offset = await want("publish", () => calls.publish(datasource, { round }));
        if (offset === undefined) return;
        await Promise.all(pages.map((page) => page.expect(datasource, offset)));
      },
    },
    {
      everyMs: 700,
      run: (round) => visit(elementOf(users, round + pages.length), streams),
    },
    {
      everyMs: 2_500,
      run: (round) => revokeAndWait(elementOf(users, round + 2 * pages.length), streams),
    },
    {
      everyMs: 5_000,
      run: async (round) => {
        await Promise.all(pages.map((page) => page.join()));
        await elementOf(pages, round).renew();
      },
    },
  ];
}

function ofServices({ streams: { calls, want }, doors, state }: BusinessOptions): Business[] {
  return [
    {
      everyMs: 120,
      run: async (round) => {
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
    },
    {
      everyMs: 500,
      run: (round) => want("consume at auth", () => calls.consumeAtAuth(keyOf(round + KEYS / 2))),
    },
    {
      everyMs: 1_000,
      run: async () => {
        const { auth, limiter, gatewayRpc } = doors;
        await Promise.all(
          Object.entries({ auth, limiter, gateway: gatewayRpc }).map(([name, url]) =>
            want(`readiness of ${name}`, () => calls.readiness(url)),
          ),
        );
      },
    },
  ];
}

function keyOf(round: number): string {
  const key = round % KEYS;
  return `198.18.${key >> 8}.${key & 255}`;
}

function elementOf<T>(list: readonly T[], index: number): T {
  const element = list[index % list.length];
  if (element === undefined) throw new Error("an empty list");
  return element;
}
