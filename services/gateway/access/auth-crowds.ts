import type { RealtimeEvents } from "../events.ts";
import { FairTurns, type TurnBounds } from "./fair-turns.ts";

/**
 * For whom the gateway asks auth. The crowds share nothing, so that none can starve another.
 * Anybody can be `public`; `account` needs a token of an account; `publisher` is a service of ours;
 * `feed` is the gateway itself, after revocations may have been missed.
 */
export type Asker = { crowd: "public" | "account"; key: string } | { crowd: "publisher" | "feed" };

/** With the call itself (`AUTH_TIMEOUT_MS`) this stays about a second. */
const TURN_WAIT_MS = 300;
/**
 * Questions in flight: about twice the connections that auth has to its database. More would only
 * wait in auth, which does not tell the crowds apart.
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

/** Asks auth in the turn of the asker; undefined if there was no turn in time. */
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
