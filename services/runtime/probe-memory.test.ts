import { expect, test } from "vitest";
import { createManualClock } from "./clock.ts";
import { signProbe } from "./probe.ts";
import { ProbeMemory } from "./probe-memory.ts";
import { Secret } from "./secret.ts";

const NONCE = "0123456789abcdef0123456789abcdef";
const PEER = { remote: "::ffff:10.0.0.1", forwardedLines: ["203.0.113.9", "junk, 192.0.2.7"] };

test("ProbeMemory keeps what was derived, and what every number of hops would derive", () => {
  const { memory, operator } = setup();
  memory.observe(PEER, signProbe(NONCE, operator));
  expect(memory.find(NONCE)).toMatchObject({
    client: { ip: "192.0.2.7", class: "forwarded", entries: 3 },
    byHops: ["10.0.0.1", "192.0.2.7", "", ""],
  });
});

test("ProbeMemory believes nobody but the operator", () => {
  const { memory } = setup();
  const forged = signProbe(NONCE, new Secret("somebody else's token"));
  for (const header of [undefined, "", NONCE, `${NONCE}.`, forged, `${NONCE}.${"0".repeat(64)}`]) {
    memory.observe(PEER, header);
    expect(memory.find(NONCE), header).toBeUndefined();
  }
});

test("ProbeMemory takes the first request with a nonce, whoever replays it", () => {
  const { memory, operator } = setup();
  memory.observe(PEER, signProbe(NONCE, operator));
  memory.observe({ remote: "10.6.6.6", forwardedLines: [] }, signProbe(NONCE, operator));
  expect(memory.find(NONCE)?.client.ip).toBe("192.0.2.7");
});

test("ProbeMemory forgets after a minute, and the oldest first when it is full", () => {
  const { memory, operator, clock } = setup();
  const nonceOf = (index: number) => index.toString(16).padStart(32, "0");
  for (let index = 0; index < 2_049; index++) {
    memory.observe(PEER, signProbe(nonceOf(index), operator));
  }
  expect(memory.find(nonceOf(0))).toBeUndefined();
  expect(memory.find(nonceOf(2_048))).toBeDefined();
  clock.advance(60_000);
  expect(memory.find(nonceOf(2_048))).toBeUndefined();
});

function setup() {
  const clock = createManualClock(1_000);
  const operator = new Secret("the operator's own token");
  const operatorTokens = [new Secret("the one before"), operator];
  return {
    clock,
    operator,
    memory: new ProbeMemory({ trust: { hops: 1 }, operatorTokens, clock }),
  };
}
