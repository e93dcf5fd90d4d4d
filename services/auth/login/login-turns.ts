import { KeyCounts } from "../../runtime/key-counts.ts";
import { crowded, KeyedTurns } from "./keyed-turns.ts";

/**
 * Charges are made before a password is looked at, and given back when it was right. What is charged
 * for attempts under way must not look like guesses to the next one, which would be told to wait for
 * a lock that the refunds undo. So attempts at one account from one network follow each other, and
 * those from one network are few at once: far fewer, with several replicas too, than the capacity
 * of `login.account.network` (5) and `login.ip` (30).
 */
const ACCOUNT_TURNS = { atOnceMax: 1, waitingMax: 32, waitingTotalMax: 256, waitMsMax: 10_000 };
const NETWORK_TURNS = { atOnceMax: 6, waitingMax: 64, waitingTotalMax: 256, waitMsMax: 10_000 };
/** Attempts of one network, waiting ones included: an office that comes to work. */
const NETWORK_ATTEMPTS_MAX = 64;

export type LoginTurns = {
  /** Runs an attempt when it is its turn; `crowded` when too many wait. */
  run<T>(email: string, network: string, attempt: () => Promise<T>): Promise<T | typeof crowded>;
};

export function createLoginTurns(): LoginTurns {
  const accounts = new KeyedTurns(ACCOUNT_TURNS);
  const networks = new KeyedTurns(NETWORK_TURNS);
  const attempts = new KeyCounts();
  return {
    async run(email, network, attempt) {
      if (attempts.get(network) >= NETWORK_ATTEMPTS_MAX) return crowded;
      attempts.add(network, 1);
      try {
        // The account's turn first, so that whoever waits for it holds up nobody else of the network.
        return await accounts.run(`${network} ${email}`, async () => {
          return await networks.run(network, attempt);
        });
      } finally {
        attempts.add(network, -1);
      }
    },
  };
}
