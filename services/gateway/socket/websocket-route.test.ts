import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { LeaseKeeper } from "../../../clients/limiter/lease-keeper.ts";
import type { Verdict } from "../../../clients/limiter/verdict.ts";
import { createManualClock } from "../../runtime/clock.ts";
import { createHttpTelemetry } from "../../runtime/http-telemetry.ts";
import { refused } from "../access/authorization.ts";
import { RecentRefusals } from "../access/recent-refusals.ts";
import { unavailable } from "../access/refusal.ts";
import { RevocationMemory } from "../access/revocation-memory.ts";
import { createRealtimeEvents } from "../events.ts";
import { divideConnections } from "../session/connection-bounds.ts";
import { SendBuffers } from "../session/send-buffers.ts";
import { Sessions } from "../session/sessions.ts";
import { Hub } from "../streams/hub.ts";
import { createAdmission } from "./admission.ts";
import type { BeginSession, Exchange, SocketEvents } from "./exchange.ts";
import { createUpgrade, PLACE_TTL_MS } from "./websocket-route.ts";

const ALLOWED: Verdict = { kind: "allowed", receipt: "r", remaining: 1, isFailOpen: false };
const REJECTED: Verdict = {
  kind: "rejected",
  policy: "realtime.connect.ip",
  retryAfterMs: 1_000,
  isFailOpen: false,
};
const NO_DECISION: Verdict = { kind: "no-decision", retryAfterMs: 1_000 };
const HEADERS = new Map([
  ["connection", ["Upgrade"]],
  ["upgrade", ["websocket"]],
  ["sec-websocket-version", ["13"]],
  ["sec-websocket-key", ["dGhlIHNhbXBsZSBub25jZQ=="]],
]);

test("an upgrade that the limiter rejects leaves no place to release", async () => {
  const { request, released, results } = setup({ verdict: REJECTED });
  const { answers } = await request();
  expect([answers, results]).toEqual([[429], ["limited"]]);
  expect(await released()).toEqual([]);
});

test("an upgrade that nobody could decide releases the place that it may have got", async () => {
  const { request, asked, released, results } = setup({ verdict: NO_DECISION });
  const { answers } = await request();
  expect([answers, results]).toEqual([[503], ["unavailable"]]);
  expect(await released()).toEqual(asked);
});

test("an upgrade whose decision fails releases the place that it got", async () => {
  const { request, asked, released } = setup({ remember: "fails", verdict: NO_DECISION });
  expect((await request()).answers).toEqual([503]);
  expect(await released()).toEqual(asked);
});

test("an upgrade whose client goes while it is decided releases its place", async () => {
  const { request, asked, released, results } = setup({});
  const exchange = await request({ goes: "while deciding" });
  expect([exchange.answers, exchange.begun, results]).toEqual([[], [], ["aborted"]]);
  expect(await released()).toEqual(asked);
});

for (const goes of ["before the upgrade", "while its session begins"] as const) {
  test(`an upgrade whose client goes ${goes} releases its place once`, async () => {
    const { request, asked, released } = setup({});
    await request({ goes });
    expect(await released()).toEqual(asked);
  });
}

test("an upgrade that the engine cannot carry out releases its place", async () => {
  const { request, asked, released } = setup({});
  await request({ goes: "with an error of the engine" });
  expect(await released()).toEqual(asked);
});

test("an open socket holds its place, and one that closes releases it once", async () => {
  const { request, asked, extended, released, leases } = setup({});
  const { begun } = await request();
  await leases.extend();
  expect([await released(), extended]).toEqual([[], asked]);
  begun[0]?.closed(1000);
  expect(await released()).toEqual(asked);
  await leases.extend();
  await leases.stop();
  expect([await released(), extended]).toEqual([asked, asked]);
});

test("a process that stops releases the places of sockets that are still open, once", async () => {
  const { request, asked, released, leases } = setup({});
  const { begun } = await request();
  await leases.stop();
  expect(await released()).toEqual(asked);
  begun[0]?.closed(1001);
  expect(await released()).toEqual(asked);
});

type Goes =
  | "while deciding"
  | "before the upgrade"
  | "while its session begins"
  | "with an error of the engine";

function setup({ verdict = ALLOWED, remember }: { verdict?: Verdict; remember?: "fails" }) {
  /** The ids of leases. */
  const calls: Record<"asked" | "extended" | "released", string[]> = {
    asked: [],
    extended: [],
    released: [],
  };
  let whenAsked = () => {};
  const leases = new LeaseKeeper(
    {
      async consume(buckets) {
        calls.asked.push(...buckets.flatMap(({ lease }) => lease?.id ?? []));
        whenAsked();
        return verdict;
      },
      async extend(leaseIds) {
        calls.extended.push(...leaseIds);
        return [];
      },
      async release(leaseIds) {
        calls.released.push(...leaseIds);
        return true;
      },
    },
    PLACE_TTL_MS,
  );
  onTestFinished(async () => await leases.stop());
  const clock = createManualClock(0);
  const results: string[] = [];
  const events = {
    ...createRealtimeEvents(),
    upgraded: (result: string) => void results.push(result),
  };
  const sessions = new Sessions(divideConnections(10_000), events);
  const refusals = new RecentRefusals(clock);
  const failing = () => {
    throw new Error("no memory");
  };
  const admit = createAdmission({
    allowedOrigins: new Set(),
    identity: ({ remote }) => ({ ip: remote, class: "socket", entries: 0 }),
    sessions,
    refusals: remember === "fails" ? { remember: failing } : refusals,
  });
  const log = pino({ level: "silent" });
  const context = {
    hub: new Hub({ createEpoch: () => "epoch", clock, events }),
    authorize: async () => [refused(unavailable())],
    revocations: new RevocationMemory(),
    clock,
    schedule: () => () => {},
    buffers: new SendBuffers(),
    noteUnsubscribed: () => {},
    log,
  };
  const upgrade = createUpgrade({
    ...{ admit, sessions, leases, context, events, log },
    telemetry: createHttpTelemetry(),
  });

  /** Carries an upgrade request out, on a connection that may go at some point. */
  const request = async ({ goes }: { goes?: Goes } = {}) => {
    const answers: number[] = [];
    const begun: SocketEvents[] = [];
    let isOpen = true;
    whenAsked = () => {
      isOpen = goes !== "while deciding";
    };
    const exchange: Exchange = {
      request: { method: "GET", path: "/", headers: HEADERS, remote: "192.0.2.1" },
      isUpgrade: true,
      get isOpen() {
        return isOpen;
      },
      answer: ({ status }) => void answers.push(status),
      upgrade(_handshake, begin) {
        if (goes === "before the upgrade") return false;
        if (goes === "with an error of the engine") throw new Error("no socket");
        begun.push(open(begin, goes === "while its session begins"));
        return true;
      },
    };
    upgrade(exchange);
    await settled();
    expect(calls.asked).toHaveLength(1);
    return { answers, begun };
  };
  /** What was released by now, once everything has settled. */
  const released = async () => {
    await settled();
    return calls.released;
  };
  return { ...calls, request, released, results, leases };
}

function open(begin: BeginSession, isGone: boolean): SocketEvents {
  const events = begin({
    send: () => {
      if (isGone) throw new Error("the socket has gone");
    },
    bufferedBytes: () => 0,
    end: (code) => events.closed(code),
  });
  events.opened();
  return events;
}

/** Everything that follows here happens in promises alone. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
