import { expect, test } from "vitest";
import { FRAME_CODECS } from "../streams/frame-codec.ts";
import {
  CONTROL_BUFFERED_BYTES_MAX,
  CONTROL_BUFFERED_BYTES_MIN,
  Outbox,
  UPDATES_BUFFERED_BYTES_MAX,
} from "./outbox.ts";
import { BUFFERED_TOTAL_BYTES_MAX, SendBuffers } from "./send-buffers.ts";

const PONG = { case: "pong", value: {} } as const;
const UPDATE = new Uint8Array(10);

for (const { what, heldByOthers, controlMax, updatesMax } of [
  {
    what: "each client's bounds",
    heldByOthers: 0,
    controlMax: CONTROL_BUFFERED_BYTES_MAX,
    updatesMax: UPDATES_BUFFERED_BYTES_MAX,
  },
  {
    what: "lower bounds while all slow readers together hold too much",
    heldByOthers: BUFFERED_TOTAL_BYTES_MAX,
    controlMax: CONTROL_BUFFERED_BYTES_MIN,
    updatesMax: 0,
  },
]) {
  test(`send() and offer() keep ${what}`, () => {
    const { outbox, socket, buffers } = setup();
    buffers.change(0, heldByOthers);
    socket.buffered = controlMax;
    expect([outbox.send(PONG, 1), socket.sent]).toEqual([true, 1]);
    socket.buffered = controlMax + 1;
    expect([outbox.send(PONG, 1), socket.sent]).toEqual([false, 1]);
    socket.buffered = updatesMax;
    expect([outbox.offer(UPDATE), socket.sent]).toEqual([true, 2]);
    socket.buffered = updatesMax + 1;
    expect([outbox.offer(UPDATE), socket.sent]).toEqual([false, 2]);
  });
}

test("closed() takes the client's bytes out of the total, and the socket is not used again", () => {
  const { outbox, socket, buffers } = setup();
  socket.buffered = 100;
  outbox.send(PONG, 1);
  expect(buffers.total).toBe(100);
  outbox.closed();
  expect(buffers.total).toBe(0);
  const uses = socket.uses;
  outbox.send(PONG, 2);
  outbox.count();
  outbox.end(1000, "");
  expect([socket.uses, buffers.total]).toEqual([uses, 0]);
});

function setup() {
  const socket = { buffered: 0, sent: 0, uses: 0 };
  const buffers = new SendBuffers();
  const outbox = new Outbox(
    {
      send() {
        socket.uses++;
        socket.sent++;
      },
      bufferedBytes() {
        socket.uses++;
        return socket.buffered;
      },
      end() {
        socket.uses++;
      },
    },
    FRAME_CODECS["portcullis.realtime.v1.json"],
    buffers,
  );
  return { outbox, socket, buffers };
}
