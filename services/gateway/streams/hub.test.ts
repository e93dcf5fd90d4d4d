import { expect, test } from "vitest";
import { createManualClock } from "../../runtime/clock.ts";
import { createRealtimeEvents } from "../events.ts";
import { FRAME_CODECS } from "./frame-codec.ts";
import { Hub, IDLE_STREAMS_MAX } from "./hub.ts";
import type { Subscription } from "./subscription.ts";

test("publish() counts on in a stream while nobody is subscribed", () => {
  const { hub } = setup();
  expect([1, 2].map(() => hub.publish("demo", "1"))).toEqual([
    { offset: 1n, epoch: "epoch-1" },
    { offset: 2n, epoch: "epoch-1" },
  ]);
});

test("publish() never refuses: the stream idle for longest ends, and starts again under another epoch", () => {
  const { hub } = setup();
  hub.publish("first", "1");
  hub.publish("second", "1");
  for (let name = 2; name < IDLE_STREAMS_MAX; name++) hub.publish(`name-${name}`, "1");
  hub.publish("first", "2");
  hub.publish("one-too-many", "1");
  expect(hub.publish("first", "3")).toEqual({ offset: 3n, epoch: "epoch-1" });
  expect(hub.publish("second", "2")).toEqual({ offset: 1n, epoch: "epoch-2" });
});

test("publish() keeps the position of a stream with a subscriber, however many are idle", () => {
  const { hub, subscription } = setup();
  hub.add(subscription);
  const flood = () => {
    for (let name = 0; name <= IDLE_STREAMS_MAX; name++) hub.publish(`name-${name}`, "1");
  };
  flood();
  expect(hub.publish("demo", "1")).toEqual({ offset: 1n, epoch: "epoch-1" });
  hub.remove(subscription);
  expect(hub.publish("demo", "2")).toEqual({ offset: 2n, epoch: "epoch-1" });
  flood();
  expect(hub.positionOf("demo")).toMatchObject({ offset: 0n });
});

function setup() {
  let epochs = 0;
  const createEpoch = () => `epoch-${++epochs}`;
  const hub = new Hub({ createEpoch, clock: createManualClock(0), events: createRealtimeEvents() });
  const subscription: Subscription = {
    datasource: "demo",
    subscriber: {
      codec: FRAME_CODECS["portcullis.realtime.v1.json"],
      offer: () => true,
      end: () => {},
    },
    grant: { datasource: "demo", subject: "public", accessVersion: 1, heardUntil: 0 },
    sentOffset: 0n,
    isBehind: false,
  };
  return { hub, subscription };
}
