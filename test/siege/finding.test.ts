import { expect, test } from "vitest";
import { DEFAULT_BOUNDS } from "./attack.ts";
import { findBroken, type Measured } from "./finding.ts";

const MEBIBYTE = 1024 * 1024;

test("findBroken() finds nothing where every bound holds", () => {
  expect(findBroken(calm(), DEFAULT_BOUNDS)).toEqual([]);
});

test("findBroken() takes a few late calls where they may be, and neither more nor others", () => {
  const bounds = { ...DEFAULT_BOUNDS, lateShareMax: 0.02 };
  const refused = (what: string, count: number) => {
    return findBroken(
      { ...calm(), honest: { ...calm().honest, refusals: new Map([[what, count]]) } },
      bounds,
    );
  };
  expect(refused("login: 503 try later", 2)).toEqual([]);
  expect(refused("login: no answer within 5000 ms", 3)).toHaveLength(1);
  expect(refused("login: 429", 1)).toHaveLength(1);
});

test.for<{ what: string; change: Partial<Measured>; broken: RegExp }>([
  { what: "a process that ended", change: { ended: ["gateway ended"] }, broken: /gateway ended/ },
  {
    what: "a refused honest call",
    change: { honest: { ...calm().honest, refusals: new Map([["login: 503", 2]]) } },
    broken: /2 honest × login: 503/,
  },
  {
    what: "nothing measured",
    change: { honest: { ...calm().honest, calls: 0 } },
    broken: /no honest call/,
  },
  {
    what: "an internal error as an answer",
    change: { counts: { "mutated body: 500": 3 } },
    broken: /3 × answered mutated body: 500/,
  },
  {
    what: "memory that grows",
    change: { most: { ...calm().most, rssBytes: { auth: 900 * MEBIBYTE } } },
    broken: /auth grew by 800 MB/,
  },
  {
    what: "memory that is kept",
    change: { liveBytesAfter: { auth: 100 * MEBIBYTE } },
    broken: /auth keeps 90 MB/,
  },
  {
    what: "too many sockets",
    change: { most: { ...calm().most, sockets: { auth: 90_000 } } },
    broken: /auth held 90000 sockets/,
  },
  {
    what: "sockets that stay",
    change: { after: { ...calm().after, sockets: { auth: 300 } } },
    broken: /auth keeps 280 sockets/,
  },
  {
    what: "backends of all pools of a service together",
    change: {
      most: { ...calm().most, backends: { "portcullis-auth": 30, "portcullis-auth-login": 30 } },
    },
    broken: /60 backends of portcullis-auth/,
  },
  { what: "an error in the logs", change: { errors: ["auth wrote: oh"] }, broken: /auth wrote/ },
  { what: "a flooded log", change: { logLines: 100_000 }, broken: /100000 lines/ },
])("findBroken() finds $what", ({ change, broken }) => {
  expect(findBroken({ ...calm(), ...change }, DEFAULT_BOUNDS)).toEqual([
    expect.stringMatching(broken),
  ]);
});

function calm(): Measured {
  const figures = {
    rssBytes: { auth: 100 * MEBIBYTE },
    sockets: { auth: 20 },
    backends: { "portcullis-auth": 10 },
  };
  return {
    honest: { calls: 100, refusals: new Map(), p50Ms: 1, p99Ms: 2, p99MsByKind: {} },
    start: figures,
    most: figures,
    after: figures,
    liveBytesStart: { auth: 10 * MEBIBYTE },
    liveBytesAfter: { auth: 10 * MEBIBYTE },
    counts: { "401": 100 },
    logLines: 3,
    errors: [],
    ended: [],
    problems: [],
  };
}
