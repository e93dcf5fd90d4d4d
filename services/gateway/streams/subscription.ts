import type { Grant } from "../access/grant.ts";
import type { FrameCodec } from "./frame-codec.ts";

/** Why the gateway ended a subscription: the reasons of a `status` frame. */
export type EndReason = "token_expired" | "revoked" | "unverifiable";

/** A session's place in the stream of one datasource. */
export type Subscription = {
  readonly datasource: string;
  readonly subscriber: Subscriber;
  /** Replaced by a refresh. */
  grant: Grant;
  /** The offset of the last update that was sent, or of the stream when the subscription began. */
  sentOffset: bigint;
  /** An update was held back; the latest one follows when the connection has drained. */
  isBehind: boolean;
};

/** Delivers updates to one client. */
export type Subscriber = {
  readonly codec: FrameCodec;
  /** Sends an update now; false when the client reads too slowly for it. */
  offer(update: Uint8Array): boolean;
  /** Ends one subscription and tells the client why. */
  end(subscription: Subscription, reason: EndReason): void;
};
