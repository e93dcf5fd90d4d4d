import type { ClientFrame } from "../../../gen/portcullis/realtime/v1/realtime_pb.ts";
import { DECISIONS, FRAMES, type Rate } from "./frame-budget.ts";
import {
  PUBLIC_SUBSCRIBE_BY_DATASOURCE,
  PUBLIC_SUBSCRIBE_BY_IP,
  REFRESH_BY_IP,
} from "./policies.ts";

/** The kinds of frames that a client can send. */
type FrameKind = NonNullable<ClientFrame["body"]["case"]>;

/** The bounds of one kind of frame. */
export type FramePolicy = {
  /** How many a session may send; more close it with `frame_rate`. */
  session: Rate;
  /** For how many of a session auth or the limiter is asked; more are answered `rate_limited`. */
  decisions?: Rate;
  /** The limiter's policies that a frame charges: by whether it has a token, and whose. */
  limits: {
    withoutToken: readonly string[];
    publicToken: readonly string[];
    accountToken: readonly string[];
  };
};

const SUBSCRIBE: FramePolicy = {
  session: FRAMES,
  decisions: DECISIONS,
  limits: {
    withoutToken: [PUBLIC_SUBSCRIBE_BY_IP, PUBLIC_SUBSCRIBE_BY_DATASOURCE],
    publicToken: [PUBLIC_SUBSCRIBE_BY_IP, PUBLIC_SUBSCRIBE_BY_DATASOURCE],
    accountToken: [REFRESH_BY_IP],
  },
};

const UNCHARGED = { withoutToken: [], publicToken: [], accountToken: [] };

/** The bounds of every frame of the protocol, and of websocket control frames. */
export const FRAME_POLICIES: Readonly<Record<FrameKind | "control", FramePolicy>> = {
  subscribe: SUBSCRIBE,
  /** One frame of the session, and as many decisions and charges as it has subscriptions. */
  subscribeAll: SUBSCRIBE,
  refresh: {
    session: FRAMES,
    decisions: DECISIONS,
    limits: { withoutToken: [], publicToken: [REFRESH_BY_IP], accountToken: [REFRESH_BY_IP] },
  },
  unsubscribe: { session: FRAMES, limits: UNCHARGED },
  ping: { session: FRAMES, limits: UNCHARGED },
  control: { session: FRAMES, limits: UNCHARGED },
};
