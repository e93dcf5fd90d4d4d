import { KeyCounts } from "../../runtime/key-counts.ts";
import { crowded, KeyedTurns } from "./keyed-turns.ts";

/**
 * A login is charged before its password is checked and refunded if the password was right. The
 * charges of attempts in flight must not look like guesses: the next attempt would be rejected by a
 * lock that the refunds lift. So attempts at one account from one network run one after the other,
 * and one network has few in flight: even with several replicas far fewer than the capacity of
 * `login.account.network` (5) and `login.ip` (30).
 */
const ACCOUNT_TURNS = { atOnceMax: 1, waitingMax: 32, waitingTotalMax: 256, waitMsMax: 10_000 };
const NETWORK_TURNS = { atOnceMax: 6, waitingMax: 64, waitingTotalMax: 256, waitMsMax: 10_000 };
/** Attempts of one network, waiting ones included: enough for an office in the morning. */
const NETWORK_ATTEMPTS_MAX = 64;

export type LoginTurns = {
  /** Runs an attempt in its turn; `crowded` when too many wait. */
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
        // The account's turn first: who waits for it must not hold a turn of the network.
        return await accounts.run(`${network} ${email}`, async () => {
          return await networks.run(network, attempt);
        });
      } finally {
        attempts.add(network, -1);
      }
    },
  };
}
