import { expect, test } from "vitest";
import { KnownPeers } from "./known-peers.ts";

const MINUTE_MS = 60_000;

test("note() tells a new peer once, and whether the process was still learning", () => {
  const peers = new KnownPeers(0);
  const steps = [
    ["10.0.0.1", 0, "start"],
    ["10.0.0.1", 1, undefined],
    ["10.0.0.2", 9 * MINUTE_MS, "start"],
    ["10.0.0.3", 10 * MINUTE_MS, "later"],
    ["10.0.0.1", 11 * MINUTE_MS, undefined],
    ["10.0.0.3", 12 * MINUTE_MS, undefined],
  ] as const;
  for (const [peer, nowMs, phase] of steps) {
    expect(peers.note(peer, nowMs), `${peer} at ${nowMs}`).toBe(phase);
  }
});

test("note() keeps who is seen again, however many others come", () => {
  const peers = new KnownPeers(0);
  peers.note("the edge", 0);
  for (let index = 0; index < 10_000; index++) {
    peers.note(`stranger ${index}`, 20 * MINUTE_MS);
    if (index % 500 === 0) {
      expect(peers.note("the edge", 20 * MINUTE_MS), `after ${index}`).toBeUndefined();
    }
  }
  expect(peers.note("stranger 0", 20 * MINUTE_MS)).toBe("later");
});
