import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { createManualClock } from "../../runtime/clock.ts";
import { type Authorization, refused } from "../access/authorization.ts";
import { DECISIONS, FRAMES_BURST } from "../access/frame-budget.ts";
import type { Grant } from "../access/grant.ts";
import { unavailable } from "../access/refusal.ts";
import { RevocationMemory } from "../access/revocation-memory.ts";
import { createRealtimeEvents } from "../events.ts";
import { FRAME_CODECS } from "../streams/frame-codec.ts";
import { Hub } from "../streams/hub.ts";
import {
  CONTROL_BUFFERED_BYTES_MAX,
  CONTROL_BUFFERED_BYTES_MIN,
  UPDATES_BUFFERED_BYTES_MAX,
} from "./outbox.ts";
import type { Schedule } from "./schedule.ts";
import { BUFFERED_TOTAL_BYTES_MAX, SendBuffers } from "./send-buffers.ts";
import { FRAME_BYTES_MAX, Session, UNREADABLE_FRAMES_MAX } from "./session.ts";
import { SUBSCRIPTIONS_MAX } from "./stream-frames.ts";

const SUBSCRIBE = { id: 1, subscribe: { datasource: "demo" } };
const REFRESH = { id: 2, refresh: { datasource: "demo", token: "newer" } };

test("open() greets with the session's id and the ping interval", () => {
  const { session, sent } = setup();
  session.open();
  expect(sent()).toEqual([{ hello: { sessionId: "session-1", pingInterval: "25s" } }]);
});

test("receive() answers ping with the id it came with, or without one", () => {
  const { receive, sent } = setup();
  receive({ id: 4, ping: {} });
  receive({ ping: {} });
  expect(sent()).toEqual([{ id: 4, pong: {} }, { pong: {} }]);
});

test("control frames and frames have one budget", () => {
  const { session, receive, ends } = setup();
  for (let count = 0; count < FRAMES_BURST - 1; count++) session.receiveControl();
  receive({ ping: {} });
  expect(ends).toEqual([]);
  session.receiveControl();
  expect(ends).toEqual([[4201, "frame_rate"]]);
});

test("a session says when it has its first subscription and when it has lost its last", async () => {
  const { receive, grant, answer, unsubscribed, session } = setup();
  receive(SUBSCRIBE);
  await answer(refused(unavailable()));
  expect(unsubscribed).toEqual([]);
  receive(SUBSCRIBE);
  await grant();
  receive({ unsubscribe: { datasource: "demo" } });
  expect(unsubscribed).toEqual([false, true]);
  receive(SUBSCRIBE);
  await grant();
  session.closed();
  expect(unsubscribed).toEqual([false, true, false]);
});

test("while slow readers hold too much together, each has to do with less", async () => {
  const { receive, grant, publish, sent, buffer, buffers, ends } = setup();
  receive(SUBSCRIBE);
  await grant();
  buffers.change(0, BUFFERED_TOTAL_BYTES_MAX);
  publish("to an empty buffer");
  buffer(1);
  publish("behind one byte");
  expect(sent().filter(({ update }) => update !== undefined)).toHaveLength(1);
  buffer(CONTROL_BUFFERED_BYTES_MIN + 1);
  receive({ ping: {} });
  expect(ends).toEqual([[4200, "slow_reader"]]);
  expect(buffers.total).toBe(BUFFERED_TOTAL_BYTES_MAX);
});

test("a subscribe is acknowledged at the stream's position, then updates follow", async () => {
  const { receive, grant, publish, sent } = setup();
  publish("before");
  receive(SUBSCRIBE);
  publish("while it is decided");
  await grant();
  publish("after");
  expect(sent()).toEqual([
    { id: 1, ack: { resumed: false, epoch: "epoch", offset: "2" } },
    { update: { datasource: "demo", offset: "3", epoch: "epoch", json: "after" } },
  ]);
});

describe("a subscribe is refused", () => {
  test("when the datasource has no valid name", () => {
    const { receive, errors } = setup();
    for (const datasource of ["", "Demo", "../demo", "a".repeat(129)]) {
      receive({ subscribe: { datasource } });
    }
    expect(errors()).toEqual(new Array(4).fill("invalid_argument"));
  });

  test("when there is one already, decided or not", async () => {
    const { receive, grant, errors } = setup();
    receive(SUBSCRIBE);
    receive(SUBSCRIBE);
    expect(errors()).toEqual([]);
    await grant();
    receive(SUBSCRIBE);
    expect(errors()).toEqual(["already_subscribed", "already_subscribed"]);
  });

  test("beyond as many as a session may hold", () => {
    const { receive, errors } = setup();
    for (let count = 0; count <= SUBSCRIPTIONS_MAX; count++) {
      receive({ subscribe: { datasource: `demo-${count}` } });
    }
    expect(errors()).toEqual(["permission_denied"]);
  });

  test("when authorizing refuses or breaks, and may then be tried again", async () => {
    const { receive, answer, breakDown, errors, sent } = setup();
    receive(SUBSCRIBE);
    await answer(refused(unavailable(2_000)));
    receive(SUBSCRIBE);
    await breakDown();
    receive(SUBSCRIBE);
    await answer({ kind: "granted", grant: publicGrant });
    expect(errors()).toEqual(["unavailable", "unavailable"]);
    expect(sent()[0]).toMatchObject({ error: { retryAfter: "2s", temporary: true, status: 503 } });
    expect(sent()[2]).toHaveProperty("ack");
  });

  test("when the token was revoked or expired while auth was asked", async () => {
    const { receive, answer, revocations, clock, errors } = setup();
    receive(SUBSCRIBE);
    revocations.remember({ kind: "jti", jti: "jti-1" });
    await answer({ kind: "granted", grant: tokenGrant() });
    receive(SUBSCRIBE);
    clock.advance(60_000);
    await answer({ kind: "granted", grant: { ...tokenGrant(), heardUntil: 1 } });
    expect(errors()).toEqual(["unauthenticated", "unauthenticated"]);
  });

  test("for now when a public datasource changed while auth was asked", async () => {
    const { receive, answer, revocations, errors } = setup();
    receive(SUBSCRIBE);
    revocations.remember({ kind: "datasource", datasource: "demo", accessVersion: 2 });
    await answer({ kind: "granted", grant: publicGrant });
    expect(errors()).toEqual(["unavailable"]);
  });
});

test("a session that closes during a subscribe leaves nothing behind", async () => {
  const { session, receive, grant, hub, sent, timers } = setup();
  receive(SUBSCRIBE);
  session.closed();
  session.closed();
  await grant(tokenGrant());
  expect(hub.all()).toEqual([]);
  expect(timers()).toBe(0);
  expect(sent()).toEqual([]);
});

test("a session that closes releases its subscriptions and timers, once", async () => {
  const { session, receive, grant, hub, timers } = setup();
  receive(SUBSCRIBE);
  await grant(tokenGrant());
  expect([hub.all().length, timers()]).toEqual([1, 1]);
  session.closed();
  session.closed();
  expect([hub.all().length, timers()]).toEqual([0, 0]);
});

test("an unsubscribe during a subscribe wins, and the datasource may be subscribed again", async () => {
  const { receive, grant, hub, publish, sent } = setup();
  receive(SUBSCRIBE);
  receive({ id: 2, unsubscribe: { datasource: "demo" } });
  receive({ id: 3, subscribe: { datasource: "demo" } });
  await grant();
  await grant();
  publish("once");
  expect(sent().map((frame) => [frame["id"], Object.keys(frame).at(-1)])).toEqual([
    [1, "ack"],
    [2, "ack"],
    [3, "ack"],
    [undefined, "update"],
  ]);
  expect(hub.all()).toHaveLength(1);
});

test("unsubscribe ends the stream; without a subscription it is refused", async () => {
  const { receive, grant, publish, sent, errors } = setup();
  receive(SUBSCRIBE);
  await grant();
  receive({ id: 2, unsubscribe: { datasource: "demo" } });
  publish("unheard");
  receive({ id: 3, unsubscribe: { datasource: "demo" } });
  expect(sent()[1]).toMatchObject({ id: 2, ack: {} });
  expect(errors()).toEqual(["not_found"]);
  expect(sent()).toHaveLength(3);
});

describe("a token that expires", () => {
  test("ends the stream by its timer, and says so once", async () => {
    const { receive, grant, clock, fireTimers, publish, sent } = setup();
    receive(SUBSCRIBE);
    await grant(tokenGrant());
    clock.advance(60_000);
    fireTimers();
    publish("late");
    expect(sent().slice(1)).toEqual([ENDED("token_expired")]);
  });

  test("lets no update through even when the timer is late", async () => {
    const { receive, grant, clock, fireTimers, publish, sent } = setup();
    receive(SUBSCRIBE);
    await grant(tokenGrant());
    clock.advance(59_999);
    publish("in time");
    clock.advance(1);
    publish("too late");
    publish("too late again");
    fireTimers();
    expect(sent().slice(1)).toEqual([
      { update: { datasource: "demo", offset: "1", epoch: "epoch", json: "in time" } },
      ENDED("token_expired"),
    ]);
  });

  test("ends nothing when the timer is early", async () => {
    const { receive, grant, fireTimers, timers, sent } = setup();
    receive(SUBSCRIBE);
    await grant(tokenGrant());
    fireTimers();
    expect(sent()).toHaveLength(1);
    expect(timers()).toBe(1);
  });
});

describe("a refresh", () => {
  test("replaces the end of the subscription without interrupting it", async () => {
    const { receive, grant, clock, fireTimers, publish, sent, hub } = setup();
    receive(SUBSCRIBE);
    await grant(tokenGrant());
    receive(REFRESH);
    publish("while it is decided");
    await grant(tokenGrant({ jti: "jti-2", expiresAtMs: 120_000 }));
    clock.advance(60_000);
    fireTimers();
    publish("after the first token's end");
    expect(sent().map((frame) => Object.keys(frame).at(-1))).toEqual([
      "ack",
      "update",
      "ack",
      "update",
    ]);
    expect(sent()[2]).toMatchObject({ id: 2, ack: { expiresAt: "1970-01-01T00:02:00Z" } });
    expect(hub.find("jti jti-1")).toEqual([]);
    expect(hub.find("jti jti-2")).toHaveLength(1);
  });

  test("of another subject, without a token, or without a subscription is refused", async () => {
    const { receive, grant, errors, hub } = setup();
    receive(REFRESH);
    receive(SUBSCRIBE);
    receive(REFRESH);
    await grant(tokenGrant());
    receive({ id: 3, refresh: { datasource: "demo" } });
    await grant({ ...tokenGrant({ jti: "jti-2" }), subject: "account-2" });
    expect(errors()).toEqual(["not_found", "permission_denied", "invalid_argument"]);
    expect(hub.find("jti jti-1")).toHaveLength(1);
  });

  test("that is refused leaves the subscription as it was", async () => {
    const { receive, grant, answer, publish, sent } = setup();
    receive(SUBSCRIBE);
    await grant(tokenGrant());
    receive(REFRESH);
    await answer(refused(unavailable()));
    publish("still here");
    expect(sent().at(-1)).toHaveProperty("update");
  });

  test("that is granted after the subscription ended brings nothing back", async () => {
    const { receive, grant, clock, fireTimers, publish, hub, sent } = setup();
    receive(SUBSCRIBE);
    await grant(tokenGrant());
    receive(REFRESH);
    clock.advance(60_000);
    fireTimers();
    await grant(tokenGrant({ jti: "jti-2", expiresAtMs: 120_000 }));
    publish("unheard");
    expect(hub.all()).toEqual([]);
    expect(sent().at(-1)).toMatchObject({ id: 2, error: { code: "not_found" } });
  });
});

describe("a slow reader", () => {
  test("gets the latest update instead of all, and the missed ones are not repeated", async () => {
    const { session, receive, grant, publish, buffer, sent } = setup();
    receive(SUBSCRIBE);
    await grant();
    publish("1");
    buffer(UPDATES_BUFFERED_BYTES_MAX + 1);
    for (const text of ["2", "3", "4"]) publish(text);
    session.drained();
    expect(sent()).toHaveLength(2);
    buffer(0);
    session.drained();
    session.drained();
    publish("5");
    const updates = sent().slice(1);
    expect(updates.map(({ update }) => update?.json)).toEqual(["1", "4", "5"]);
  });

  test("gets nothing that was held back once its token has expired", async () => {
    const { session, receive, grant, publish, buffer, clock, sent } = setup();
    receive(SUBSCRIBE);
    await grant(tokenGrant());
    buffer(UPDATES_BUFFERED_BYTES_MAX + 1);
    publish("held back");
    clock.advance(60_000);
    buffer(0);
    session.drained();
    expect(sent().slice(1)).toEqual([ENDED("token_expired")]);
  });

  test("still gets control frames, and is closed when even those do not fit", () => {
    const { receive, buffer, sent, ends } = setup();
    buffer(CONTROL_BUFFERED_BYTES_MAX);
    receive({ id: 1, ping: {} });
    expect(sent()).toHaveLength(1);
    buffer(CONTROL_BUFFERED_BYTES_MAX + 1);
    receive({ id: 2, ping: {} });
    receive({ id: 3, ping: {} });
    expect(sent()).toHaveLength(1);
    expect(ends).toEqual([[4200, "slow_reader"]]);
  });
});

describe("receive() closes", () => {
  test("on a frame above the limit, not on one at it", () => {
    const { session, ends, errors } = setup();
    session.receive(new Uint8Array(FRAME_BYTES_MAX).fill(32), false);
    expect([errors(), ends]).toEqual([["invalid_argument"], []]);
    session.receive(new Uint8Array(FRAME_BYTES_MAX + 1), false);
    expect(ends).toEqual([[1009, "frame_too_large"]]);
  });

  test("on a frame of the wrong kind", () => {
    const { session, ends } = setup();
    session.receive(new Uint8Array(), true);
    expect(ends).toEqual([[1003, "wrong_frame_kind"]]);
  });

  test("on unreadable frames only when there are too many in a row", () => {
    const { session, receive, ends, errors } = setup();
    const garbage = () => session.receive(new TextEncoder().encode("garbage"), false);
    for (let count = 0; count < UNREADABLE_FRAMES_MAX; count++) garbage();
    receive({ ping: {} });
    for (let count = 0; count < UNREADABLE_FRAMES_MAX; count++) garbage();
    expect(ends).toEqual([]);
    garbage();
    expect(errors()).toEqual(new Array(2 * UNREADABLE_FRAMES_MAX).fill("invalid_argument"));
    expect(ends).toEqual([[4500, "unreadable_frames"]]);
  });

  test("on more frames than a session may send", () => {
    const { receive, ends, clock } = setup();
    for (let count = 0; count < FRAMES_BURST; count++) receive({ ping: {} });
    clock.advance(1_000);
    receive({ ping: {} });
    expect(ends).toEqual([]);
    for (let count = 0; count < FRAMES_BURST; count++) receive({ ping: {} });
    expect(ends).toEqual([[4201, "frame_rate"]]);
  });
});

test("receive() asks no more often than its share of what auth answers, and says when to come back", async () => {
  const { receive, grant, asked, sent, clock } = await subscribed();
  for (let refresh = 1; refresh < DECISIONS.burst; refresh++) {
    receive({ refresh: { datasource: "demo", token: "token" } });
    await grant(tokenGrant());
  }
  receive({ id: 7, refresh: { datasource: "demo", token: "token" } });
  expect(asked()).toBe(0);
  expect(sent().at(-1)).toMatchObject({
    id: 7,
    error: { code: "rate_limited", status: 429, retryAfter: "1s" },
  });
  clock.advance(1_000);
  receive({ refresh: { datasource: "demo", token: "token" } });
  expect(asked()).toBe(1);
});

test("dismiss() says goodbye with the wait, then closes", () => {
  const { session, sent, ends } = setup();
  session.dismiss("shutdown", 1_250);
  expect(sent()).toEqual([{ bye: { reason: "shutdown", retryAfter: "1.250s" } }]);
  expect(ends).toEqual([[4000, "shutdown"]]);
});

const publicGrant: Grant = {
  datasource: "demo",
  subject: "public",
  accessVersion: 1,
  heardUntil: 0,
};

function tokenGrant({ jti = "jti-1", expiresAtMs = 60_000 } = {}): Grant {
  const token = { text: "token", jti, keyId: "key", issuedAtMs: 0, expiresAtMs };
  return { ...publicGrant, subject: "account-1", token };
}

function ENDED(reason: string) {
  return { status: { datasource: "demo", state: "STATE_ENDED", reason } };
}

async function subscribed() {
  const parts = setup();
  parts.receive({ subscribe: { datasource: "demo", token: "token" } });
  await parts.grant(tokenGrant());
  return parts;
}

function setup() {
  const clock = createManualClock(0);
  const hub = new Hub({ createEpoch: () => "epoch", clock, events: createRealtimeEvents() });
  const revocations = new RevocationMemory();
  const frames: Record<string, { code?: string; json?: string } | undefined>[] = [];
  const ends: [number, string][] = [];
  const asked: PromiseWithResolvers<Authorization>[] = [];
  const scheduled = new Set<() => void>();
  const buffers = new SendBuffers();
  const unsubscribed: boolean[] = [];
  let buffered = 0;
  const schedule: Schedule = (_delayMs, run) => {
    scheduled.add(run);
    return () => scheduled.delete(run);
  };
  const session: Session = new Session(
    {
      id: "session-1",
      client: { ip: "192.0.2.1", class: "socket", entries: 0 },
      codec: FRAME_CODECS["portcullis.realtime.v1.json"],
    },
    {
      send: (data) => frames.push(JSON.parse(new TextDecoder().decode(data))),
      bufferedBytes: () => buffered,
      end(code, reason) {
        ends.push([code, reason]);
        session.closed();
      },
    },
    {
      hub,
      revocations,
      clock,
      schedule,
      buffers,
      noteUnsubscribed: (_session, isUnsubscribed) => void unsubscribed.push(isUnsubscribed),
      log: pino({ level: "silent" }),
      authorize(requests) {
        const questions = requests.map(() => withResolvers<Authorization>());
        asked.push(...questions);
        return Promise.all(questions.map(({ promise }) => promise));
      },
    },
  );
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const answer = async (authorization: Authorization) => {
    asked.shift()?.resolve(authorization);
    await settled();
  };
  return {
    session,
    hub,
    revocations,
    clock,
    buffers,
    unsubscribed,
    ends,
    answer,
    receive(frame: object) {
      session.receive(new TextEncoder().encode(JSON.stringify(frame)), false);
    },
    grant: (grant: Grant = publicGrant) => answer({ kind: "granted", grant }),
    async breakDown() {
      asked.shift()?.reject(new Error("a bug"));
      await settled();
    },
    publish(text: string) {
      hub.publish("demo", JSON.stringify(text));
    },
    buffer(bytes: number) {
      buffered = bytes;
    },
    fireTimers() {
      for (const run of [...scheduled]) {
        scheduled.delete(run);
        run();
      }
    },
    timers: () => scheduled.size,
    asked: () => asked.length,
    sent: () => frames,
    errors: () => frames.flatMap(({ error }) => error?.code ?? []),
  };
}

type PromiseWithResolvers<T> = {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(error: Error): void;
};

function withResolvers<T>(): PromiseWithResolvers<T> {
  const settle: Partial<PromiseWithResolvers<T>> = {};
  const promise = new Promise<T>((resolve, reject) => Object.assign(settle, { resolve, reject }));
  return { promise, resolve: () => {}, reject: () => {}, ...settle };
}
