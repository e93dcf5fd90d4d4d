import type { RealtimeEvents } from "../events.ts";
import { FairTurns, type TurnBounds } from "./fair-turns.ts";

/**
 * On whose behalf auth is asked. The crowds share nothing, so that none can starve another:
 * `public` is any client, `account` a client with an account's token, `publisher` one of our
 * services, and `feed` the gateway itself, when it may have missed revocations.
 */
export type Asker = { crowd: "public" | "account"; key: string } | { crowd: "publisher" | "feed" };

/** Together with the call itself (`AUTH_TIMEOUT_MS`) this is about a second. */
const TURN_WAIT_MS = 300;
/**
 * Questions in flight: about twice what auth's database connections can answer at once. More would
 * only wait in auth, which does not tell the crowds apart.
 */
const PUBLIC_AT_ONCE = 16;
const ACCOUNT_AT_ONCE = 48;
/** More than the feed has in flight. */
const FEED_AT_ONCE = 16;
/** Publishers ask only about names that this gateway does not know yet, or that do not exist. */
const PUBLISHER_AT_ONCE = 8;
/** The share of one address, and of one account. */
export const AT_ONCE_PER_ADDRESS = 4;
const AT_ONCE_PER_ACCOUNT = 16;
/** Far more than auth answers within the wait. */
const WAITING_MAX = 4_000;
/** For one address or account: all datasources of some pages. */
const WAITING_PER_KEY = 200;

const BOUNDS = {
  public: bounds(PUBLIC_AT_ONCE, AT_ONCE_PER_ADDRESS),
  account: bounds(ACCOUNT_AT_ONCE, AT_ONCE_PER_ACCOUNT),
  publisher: bounds(PUBLISHER_AT_ONCE, PUBLISHER_AT_ONCE),
  feed: bounds(FEED_AT_ONCE, FEED_AT_ONCE),
};

function bounds(atOnce: number, atOncePerKey: number): TurnBounds {
  return {
    atOnce,
    atOncePerKey,
    waiting: WAITING_MAX,
    waitingPerKey: WAITING_PER_KEY,
    waitMs: TURN_WAIT_MS,
  };
}

/** Runs a question to auth in its crowd's turn; undefined when there was no turn in time. */
export type AuthCrowds = <T>(asker: Asker, ask: () => Promise<T>) => Promise<T | undefined>;

export function createAuthCrowds(events: Pick<RealtimeEvents, "shed">): AuthCrowds {
  const crowds = {
    public: new FairTurns(BOUNDS.public),
    account: new FairTurns(BOUNDS.account),
    publisher: new FairTurns(BOUNDS.publisher),
    feed: new FairTurns(BOUNDS.feed),
  };
  return async (asker, ask) => {
    const key = "key" in asker ? asker.key : asker.crowd;
    const answer = await crowds[asker.crowd].run(key, ask);
    if (answer === undefined) events.shed("introspection");
    return answer;
  };
}
