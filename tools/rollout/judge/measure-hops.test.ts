import { expect, test } from "vitest";
import { type HopSample, measureHops } from "./measure-hops.ts";

const CLIENT = "198.18.0.9";
const CDN = "198.18.1.1";
const EDGE = "10.0.0.1";
const LIES = [[], ["192.0.2.7"], ["192.0.2.8", "203.0.113.8"], []] as const;

test("measureHops() tells overwriting from appending edges, and counts what they write", () => {
  const cases: {
    edge: (lies: readonly string[]) => string[];
    expected: object;
    client?: string;
  }[] = [
    {
      edge: () => [CLIENT],
      expected: { kind: "unique", hops: 1, habit: "overwrites", address: CLIENT },
    },
    { edge: (lies) => [...lies, CLIENT], expected: { kind: "unique", hops: 1, habit: "appends" } },
    {
      edge: (lies) => [...lies, CLIENT, CDN],
      expected: { kind: "unique", hops: 2, habit: "appends" },
    },
    {
      edge: () => [CLIENT, CDN],
      client: CLIENT,
      expected: { kind: "unique", hops: 2, habit: "overwrites" },
    },
  ];
  for (const { edge, expected, client } of cases) {
    expect(measureHops(through(edge), client)).toMatchObject(expected);
  }
});

test("measureHops() refuses wherever the answer is not unique, and says why", () => {
  let request = 0;
  const cases: [string, (lies: readonly string[]) => string[], string?][] = [
    ["nobody writes the header", () => []],
    ["the client's own header gets through", (lies) => [...lies]],
    ["they take different ways", () => (request++ % 2 === 0 ? [CLIENT] : [CLIENT, CDN])],
    ["neither stays the same nor grows", (lies) => [...lies.slice(0, 1), CLIENT]],
    ["is no address", (lies) => [...lies, CLIENT, "unknown"]],
    [
      "the client wrote stands among",
      (lies) => (lies.length > 0 ? [...lies.slice(0, 1)] : [CLIENT]),
    ],
    ["any of them may be the client", () => [CLIENT, CDN]],
    ["is called", () => [request++ % 2 === 0 ? CLIENT : CDN]],
    [`names ${CDN}, but the client is ${CLIENT}`, () => [CDN], CLIENT],
  ];
  for (const [reason, edge, client] of cases) {
    request = 0;
    expect(measureHops(through(edge), client), reason).toMatchObject({
      kind: "ambiguous",
      reason: expect.stringContaining(reason),
    });
  }
});

test("measureHops() refuses without requests of both kinds", () => {
  const honest: HopSample = { spoofed: [], entries: 1, byHops: [EDGE, CLIENT] };
  expect(measureHops([])).toMatchObject({ kind: "ambiguous" });
  expect(measureHops([honest])).toMatchObject({ kind: "ambiguous" });
  expect(measureHops([{ ...honest, spoofed: ["192.0.2.7"] }])).toMatchObject({ kind: "ambiguous" });
});

/** What a service behind the edge sees of each request. */
function through(edge: (lies: readonly string[]) => string[]): HopSample[] {
  return LIES.map((spoofed) => {
    const entries = edge(spoofed);
    const fromRight = [...entries].reverse();
    const firstInvalid = fromRight.indexOf("unknown");
    const byHops = fromRight.map((entry, index) =>
      firstInvalid >= 0 && index >= firstInvalid ? "" : entry,
    );
    return { spoofed, entries: entries.length, byHops: [EDGE, ...byHops] };
  });
}
