import fc from "fast-check";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { createManualClock } from "../../runtime/clock.ts";
import { type Authorization, type AuthorizationRequest, refused } from "../access/authorization.ts";
import { DECISIONS } from "../access/frame-budget.ts";
import type { Grant } from "../access/grant.ts";
import { unavailable } from "../access/refusal.ts";
import { RevocationMemory } from "../access/revocation-memory.ts";
import { createRealtimeEvents } from "../events.ts";
import { FRAME_CODECS, type ServerFrameBody } from "../streams/frame-codec.ts";
import { Hub } from "../streams/hub.ts";
import { StreamFrames, SUBSCRIPTIONS_MAX } from "./stream-frames.ts";
import { SubscriptionSlots } from "./subscription-slots.ts";

const DEMO = "demo";

describe("subscribeAll()", () => {
  test("starts all streams together, and answers once, when the last is decided", async () => {
    const { streams, answers, hub, decide } = setup();
    streams.subscribeAll(1, [wanted(DEMO), wanted("other")]);
    streams.unsubscribe(2, "other");
    await decide("demo");
    expect([answers, hub.all()]).toEqual([[], []]);
    await decide("other");
    const ack = expect.objectContaining({ case: "ack" });
    expect(answers).toEqual([
      {
        id: 1,
        case: "subscribed",
        value: {
          results: [
            { datasource: DEMO, result: ack },
            { datasource: "other", result: ack },
          ],
        },
      },
      expect.objectContaining({ id: 2, case: "ack" }),
    ]);
    expect(hub.all().map(({ datasource }) => datasource)).toEqual([DEMO]);
  });

  test("asks about all of them in one question", () => {
    const { streams, questions } = setup();
    streams.subscribeAll(1, ["a", "b", "c"].map(wanted));
    expect(questions).toEqual([3]);
  });

  test("refuses each by itself, and releases the slots of those", async () => {
    const { streams, answers, decide, refuse } = setup();
    streams.subscribe(1, wanted(DEMO));
    await decide(DEMO);
    streams.subscribeAll(2, ["demo", "Demo", "new", "new", "refused"].map(wanted));
    await decide("new");
    await refuse("refused");
    const value = (code: string) => ({ case: "error", value: expect.objectContaining({ code }) });
    expect(answers.at(-1)).toMatchObject({
      value: {
        results: [
          { datasource: "demo", result: value("already_subscribed") },
          { datasource: "Demo", result: value("invalid_argument") },
          { datasource: "new", result: { case: "ack" } },
          { datasource: "new", result: value("already_subscribed") },
          { datasource: "refused", result: value("unavailable") },
        ],
      },
    });
    streams.subscribe(3, wanted("refused"));
    await decide("refused");
    expect(answers.at(-1)).toMatchObject({ id: 3, case: "ack" });
  });

  test("takes as many as a session may hold, and names what is wrong with more", () => {
    const { streams, answers, questions } = setup();
    const many = (count: number) =>
      Array.from({ length: count }, (_, index) => wanted(`demo-${index}`));
    for (const count of [0, SUBSCRIPTIONS_MAX + 1]) streams.subscribeAll(count, many(count));
    const value = { code: "invalid_argument", message: expect.stringMatching(/^subscriptions /) };
    expect(answers).toEqual(
      [0, 51].map((id) => ({ id, case: "error", value: expect.objectContaining(value) })),
    );
    streams.subscribeAll(1, many(SUBSCRIPTIONS_MAX));
    expect(questions).toEqual([SUBSCRIPTIONS_MAX]);
  });

  test("takes as many decisions as it asks for", async () => {
    const { streams, answers, refuse, questions } = setup();
    const page = Array.from({ length: SUBSCRIPTIONS_MAX }, (_, index) => wanted(`demo-${index}`));
    for (let asked = 0; asked < DECISIONS.burst; asked += page.length) {
      streams.subscribeAll(1, page);
      for (const { datasource } of page) await refuse(datasource);
    }
    streams.subscribe(2, wanted(DEMO));
    expect(questions).toEqual([SUBSCRIPTIONS_MAX, SUBSCRIPTIONS_MAX]);
    expect(answers.at(-1)).toMatchObject({ id: 2, case: "error", value: { code: "rate_limited" } });
  });
});

describe("refresh() never ends a stream sooner:", () => {
  const cases = [
    { name: "a later end counts", token: "later", held: "later", expiresAtMs: 90_000n },
    { name: "an earlier end does not", token: "sooner", held: "first", expiresAtMs: 60_000n },
    { name: "an equal end counts", token: "equal", held: "equal", expiresAtMs: 60_000n },
    { name: "a newer version counts", token: "version", held: "version", expiresAtMs: 30_000n },
  ];
  const grants: Readonly<Record<string, Grant>> = {
    first: tokenGrant("first", 60_000),
    later: tokenGrant("later", 90_000),
    sooner: tokenGrant("sooner", 30_000),
    equal: tokenGrant("equal", 60_000),
    version: { ...tokenGrant("version", 30_000), accessVersion: 2 },
  };
  for (const { name, token, held, expiresAtMs } of cases) {
    test(name, async () => {
      const { streams, answers, hub, decide } = setup(grants);
      streams.subscribe(1, { datasource: DEMO, token: "first" });
      await decide("first");
      streams.refresh(2, { datasource: DEMO, token });
      await decide(token);
      expect(hub.find(`jti ${held}`)).toHaveLength(1);
      expect(hub.all()).toHaveLength(1);
      const expiresAt = { seconds: expiresAtMs / 1_000n };
      expect(answers.at(-1)).toMatchObject({ id: 2, case: "ack", value: { expiresAt } });
    });
  }

  test("nor one that has no end", async () => {
    const { streams, hub, decide } = setup({
      first: { ...tokenGrant("first", 60_000), subject: "public" },
    });
    streams.subscribe(1, wanted(DEMO));
    await decide(DEMO);
    streams.refresh(2, { datasource: DEMO, token: "first" });
    await decide("first");
    expect(hub.all().map(({ grant }) => grant.token)).toEqual([undefined]);
  });
});

const FRAMES = ["subscribe", "subscribeAll", "refresh", "unsubscribe"] as const;

test("frames of one datasource take effect in order, however long each takes to decide", async () => {
  const frame = fc.record({
    kind: fc.constantFrom(...FRAMES),
    datasource: fc.constantFrom("a", "b"),
    isRefused: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.array(frame, { maxLength: 15 }), async (delays, sent) => {
      const grants = Object.fromEntries(
        sent.map((_, id) => [`${id}`, tokenGrant(`${id}`, 60_000 + id * 1_000)]),
      );
      const { streams, answers, hub, decideAll } = setup(grants);
      /** What holds each datasource, when everything happens one after the other. */
      const held = new Map<string, number>();
      const expected = sent.map(({ kind, datasource, isRefused }, id) => {
        const token = isRefused ? "refused" : `${id}`;
        const isHeld = held.has(datasource);
        const asked = { datasource, token };
        if (kind === "subscribe") streams.subscribe(id, asked);
        if (kind === "subscribeAll") streams.subscribeAll(id, [asked]);
        if (kind === "refresh") streams.refresh(id, asked);
        if (kind === "unsubscribe") streams.unsubscribe(id, datasource);
        const starts = kind === "subscribe" || kind === "subscribeAll";
        if (kind === "unsubscribe") held.delete(datasource);
        else if (!isRefused && starts !== isHeld) held.set(datasource, id);
        const isDone = kind === "unsubscribe" ? isHeld : !isRefused && starts !== isHeld;
        return { id, datasource, isDone };
      });
      await decideAll(delays);
      for (const datasource of ["a", "b"]) {
        const told = expected.filter((one) => one.datasource === datasource);
        const seen = answers.filter(({ id }) => told.some((one) => one.id === id));
        expect(seen.map(isAck)).toEqual(told.map(({ id, isDone }) => ({ id, isDone })));
        const holding = hub.find(`datasource ${datasource}`).map(({ grant }) => grant.token?.jti);
        expect(holding).toEqual([held.get(datasource)].flatMap((id) => id?.toString() ?? []));
      }
    }),
  );
});

type Answer = { id: number | undefined } & NonNullable<ServerFrameBody>;

function isAck(answer: Answer) {
  const { id } = answer;
  if (answer.case !== "subscribed") return { id, isDone: answer.case === "ack" };
  return { id, isDone: answer.value.results?.[0]?.result?.case === "ack" };
}

function wanted(datasource: string) {
  return { datasource, token: "" };
}

const ANYBODY = { subject: "public", accessVersion: 1, heardUntil: 0 };

function tokenGrant(jti: string, expiresAtMs: number): Grant {
  const token = { text: jti, jti, keyId: "key", issuedAtMs: 0, expiresAtMs };
  return { datasource: DEMO, subject: "account", accessVersion: 1, heardUntil: 0, token };
}

/** Decides about tokens by the grants that they stand for, when the test says so. */
function setup(grants: Readonly<Record<string, Grant>> = {}) {
  const clock = createManualClock(0);
  const hub = new Hub({ createEpoch: () => "epoch", clock, events: createRealtimeEvents() });
  const answers: Answer[] = [];
  const questions: number[] = [];
  const open: { name: string; grant: Grant | undefined; answer(answer: Authorization): void }[] =
    [];
  const grantFor = ({ datasource, token }: AuthorizationRequest): Grant | undefined => {
    if (token === "") return { ...ANYBODY, datasource };
    const grant = grants[token];
    return grant && { ...grant, datasource };
  };
  const ask = (request: AuthorizationRequest) =>
    new Promise<Authorization>((answer) => {
      open.push({ name: request.token || request.datasource, grant: grantFor(request), answer });
    });
  const context = {
    hub,
    clock,
    revocations: new RevocationMemory(),
    log: pino({ level: "silent" }),
    schedule: () => () => {},
    authorize(requests: readonly AuthorizationRequest[]) {
      questions.push(requests.length);
      return Promise.all(requests.map(ask));
    },
  };
  const subscriber = {
    codec: FRAME_CODECS["portcullis.realtime.v1.json"],
    offer: () => true,
    end: () => {},
  };
  const slots = new SubscriptionSlots(subscriber, context);
  const holder = {
    id: "session",
    client: { ip: "192.0.2.1", class: "socket" as const, entries: 0 },
    isClosed: false,
    answer: (id: number | undefined, body: NonNullable<ServerFrameBody>) =>
      void answers.push({ id, ...body }),
    noteSubscribed: () => {},
    release: (datasource: string) => slots.release(datasource),
  };
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const take = (name: string) => {
    const [question] = open.splice(
      open.findIndex((one) => one.name === name),
      1,
    );
    if (question === undefined) throw new Error(`nobody asks about ${name}`);
    return question;
  };
  const settle = ({ grant, answer }: (typeof open)[number]) =>
    answer(grant === undefined ? refused(unavailable()) : { kind: "granted", grant });
  return {
    streams: new StreamFrames(holder, slots, context),
    hub,
    answers,
    questions,
    async decide(name: string) {
      settle(take(name));
      await settled();
    },
    async refuse(name: string) {
      settle({ ...take(name), grant: undefined });
      await settled();
    },
    /** Decides whatever is asked, in an order that the scheduler chooses. */
    async decideAll(delays: fc.Scheduler) {
      for (let left = open.splice(0); left.length > 0; left = open.splice(0)) {
        for (const one of left) void delays.schedule(Promise.resolve()).then(() => settle(one));
        await delays.waitIdle();
        await settled();
      }
    },
  };
}
