import { expect, test } from "vitest";
import { IdleSockets } from "./idle-sockets.ts";

test("IdleSockets asks a quiet client once, and cuts it off when it stays quiet", () => {
  const { sockets, socket } = setup();
  const steps = [
    { atMs: 31_999, pings: 0, cuts: 0 },
    { atMs: 32_000, pings: 1, cuts: 0 },
    { atMs: 36_000, pings: 1, cuts: 0 },
    { atMs: 63_999, pings: 1, cuts: 0 },
    { atMs: 64_000, pings: 1, cuts: 1 },
  ];
  for (const { atMs, ...expected } of steps) {
    sockets.sweep(atMs);
    expect(socket, `at ${atMs} ms`).toMatchObject(expected);
  }
});

test("IdleSockets leaves a client alone that sends anything, and asks it again later", () => {
  const { sockets, socket } = setup();
  sockets.sweep(32_000);
  socket.bytes += 6;
  for (const atMs of [60_000, 64_000, 91_999]) sockets.sweep(atMs);
  expect(socket).toMatchObject({ pings: 1, cuts: 0 });
  sockets.sweep(92_000);
  expect(socket).toMatchObject({ pings: 2, cuts: 0 });
  sockets.delete(socket);
  sockets.sweep(200_000);
  expect(socket.cuts).toBe(0);
  expect(sockets.size).toBe(0);
});

function setup() {
  const sockets = new IdleSockets();
  sockets.stop();
  const socket = {
    bytes: 100,
    pings: 0,
    cuts: 0,
    bytesRead: () => socket.bytes,
    ping: () => void socket.pings++,
    cut: () => void socket.cuts++,
  };
  sockets.add(socket, 0);
  return { sockets, socket };
}
