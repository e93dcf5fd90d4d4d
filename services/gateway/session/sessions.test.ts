import { pino } from "pino";
import { expect, test } from "vitest";
import { createManualClock } from "../../runtime/clock.ts";
import { refused } from "../access/authorization.ts";
import { unavailable } from "../access/refusal.ts";
import { RevocationMemory } from "../access/revocation-memory.ts";
import { createRealtimeEvents } from "../events.ts";
import { FRAME_CODECS } from "../streams/frame-codec.ts";
import { Hub } from "../streams/hub.ts";
import { SendBuffers } from "./send-buffers.ts";
import { Session } from "./session.ts";
import { Sessions } from "./sessions.ts";

test("where too many sessions have no subscription, the one without for longest goes", () => {
  const { sessions, open, ended, shed } = setup();
  const [first, second] = [open("first"), open("second")];
  expect(ended).toEqual([]);
  sessions.noteUnsubscribed(first, false);
  open("third");
  expect(ended).toEqual([]);
  sessions.noteUnsubscribed(first, true);
  expect(ended).toEqual(["second 4203"]);
  sessions.delete(second);
  open("fourth");
  expect(ended).toEqual(["second 4203", "third 4203"]);
  expect(shed).toEqual(["idle_session", "idle_session"]);
});

test("reserve() gives an address its share, and nobody more than the sessions there may be", () => {
  const { sessions, open } = setup();
  expect(["192.0.2.1", "192.0.2.1", "192.0.2.2"].map((ip) => sessions.reserve(ip))).toEqual([
    "reserved",
    "over-share",
    "reserved",
  ]);
  sessions.settle("192.0.2.1");
  for (const id of ["a", "b", "c"]) sessions.noteUnsubscribed(open(id), false);
  expect(sessions.reserve("192.0.2.1")).toBe("full");
});

function setup() {
  const shed: string[] = [];
  const ended: string[] = [];
  const bounds = { sessions: 4, unsubscribed: 2, pending: { total: 2, address: 1, network: 1 } };
  const sessions = new Sessions(bounds, { shed: (what) => void shed.push(what) });
  const clock = createManualClock(0);
  const context = {
    hub: new Hub({ createEpoch: () => "epoch", clock, events: createRealtimeEvents() }),
    authorize: async () => [refused(unavailable())],
    revocations: new RevocationMemory(),
    clock,
    schedule: () => () => {},
    buffers: new SendBuffers(),
    noteUnsubscribed: () => {},
    log: pino({ level: "silent" }),
  };
  const open = (id: string) => {
    const codec = FRAME_CODECS["portcullis.realtime.v1.json"];
    const client = { ip: "192.0.2.1", class: "socket", entries: 0 } as const;
    const socket = {
      send: () => {},
      bufferedBytes: () => 0,
      end(code: number) {
        ended.push(`${id} ${code}`);
        sessions.delete(session);
        session.closed();
      },
    };
    const session: Session = new Session({ id, client, codec }, socket, context);
    sessions.add(session);
    return session;
  };
  return { sessions, open, ended, shed };
}
