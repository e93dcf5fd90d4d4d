/**
 * Why the gateway closes a connection. The range tells a client what to do next:
 *
 * | range | connect again? |
 * | --- | --- |
 * | 4000–4199 | yes, after the wait that `bye` named |
 * | 4200–4499 | yes, with growing, jittered waits |
 * | 1002–1009, 4500–4999 | no: the client would be closed again for the same reason |
 */
export const CLOSE_CODES = {
  /** The gateway stops; another one, or this one restarted, serves again soon. */
  shutdown: 4000,
  /** The client reads so slowly that even control frames would not fit. */
  slow_reader: 4200,
  /** The client sent more frames than a session may. */
  frame_rate: 4201,
  /** During an outage other connections of the same address took the place of this one. */
  connection_limit: 4202,
  /** The connection had no subscription for longest while too many had none. */
  idle: 4203,
  /** A text frame in a binary session, or the other way round. */
  wrong_frame_kind: 1003,
  /** A frame above the protocol's limit. */
  frame_too_large: 1009,
  /** Too many frames in a row that could not be read. */
  unreadable_frames: 4500,
} as const;

export type CloseReason = keyof typeof CLOSE_CODES;
