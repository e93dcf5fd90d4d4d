import type { Attack } from "./attack.ts";
import { BOMB_ATTACKS } from "./attacks/bomb-attacks.ts";
import { CONNECTION_ATTACKS } from "./attacks/connection-attacks.ts";
import { FLOOD_ATTACKS } from "./attacks/flood-attacks.ts";
import { LONG_KEYS_ATTACK } from "./attacks/long-keys-attack.ts";
import { SESSION_ATTACKS } from "./attacks/session-attacks.ts";
import { UNFINISHED_ATTACKS } from "./attacks/unfinished-attacks.ts";
import { WEBSOCKET_ATTACKS } from "./attacks/websocket-attacks.ts";
import { FUZZ_ATTACKS } from "./fuzz/fuzz-attacks.ts";

/** All attacks of strangers and of misbehaving callers. */
export const ATTACKS: readonly Attack[] = [
  ...BOMB_ATTACKS,
  ...UNFINISHED_ATTACKS,
  ...CONNECTION_ATTACKS,
  ...FLOOD_ATTACKS,
  ...SESSION_ATTACKS,
  ...WEBSOCKET_ATTACKS,
  LONG_KEYS_ATTACK,
  ...FUZZ_ATTACKS,
];
