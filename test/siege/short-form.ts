import { type Round, roundOfAll } from "./run-attacks.ts";

/** The duration of each round of the short form. */
export const SHORT_SECONDS = 2.5;
/** The number of inputs of each fuzzer in the short form. */
export const SHORT_INPUTS = 3_000;

/**
 * Other tests use the same machine, so the short form tolerates a few late calls; the long form
 * none.
 */
export const SHORT_LATE_SHARE_MAX = 0.02;

/** All attacks in a few rounds; each is smaller if several share the machine. */
export const SHORT_ROUNDS: readonly Round[] = [
  roundOfAll("bombs of strangers", ["bombs-of-strangers"]),
  roundOfAll("bombs of a known caller", ["bombs-of-a-known-caller"]),
  roundOfAll("unfinished requests", [
    "slow-",
    "endless-",
    "empty-lines",
    "tiny-chunks",
    "chunk-extensions",
    "a-chunk-without-end",
    "trailers-without-end",
    "lengths-never-filled",
    "bodies-that-stop",
    "continue-and-nothing",
    "half-closed",
  ]),
  roundOfAll("tiny chunks", ["tiny-chunks"]),
  roundOfAll("connections", ["idle-", "connection-storm", "stalled-readers", "other-protocols"]),
  roundOfAll("guesses at known accounts", ["flood-login-to-known-accounts"]),
  roundOfAll("floods of sign-ins", ["flood-login-"]),
  roundOfAll("floods of sessions", ["flood-refresh-", "flood-logout"]),
  roundOfAll("floods of other entrances", [
    "flood-mint-",
    "flood-revoke-",
    "flood-operators-",
    "flood-internal-",
    "flood-publish",
    "flood-plain-",
  ]),
  roundOfAll("upgrades and frames", ["upgrades-", "subscribes-", "refresh-frames"]),
  roundOfAll("hostile websockets", ["websocket-"]),
  roundOfAll("long keys", ["long-keys"]),
  roundOfAll("random and malformed inputs", ["fuzz-"]),
];

/** The most different faults; the long form runs all. */
export const SHORT_FAULTS: ReadonlySet<string> = new Set([
  "hung-commits-ghost-standby",
  "hung-commits-stopped-backends",
  "hung-commits-stalled-network",
]);
