import { type Attack, OWN_SHARE } from "../attack.ts";
import { type Bomb, bombsFor } from "../bombs/bodies.ts";
import { ENCODINGS, type Encoding } from "../bombs/encodings.ts";
import { FRAMINGS, type Framing } from "../bombs/framings.ts";
import { exchange, NOT_ANSWERED } from "../exchange.ts";
import { type Load, pace } from "../load.ts";
import { strangerAddress } from "../random.ts";
import { isServed, TARGETS, type Target } from "../targets.ts";

/** Sizes below and above each service's bound, and the largest bound. */
const SIZES: readonly [number, ...number[]] = [60_000, 500_000, 4 * 1024 * 1024 - 64, 8_000_000];
const PACE = { perSecond: 15, inFlightMax: 12 };
/** Longer than a service takes to close a connection that it refuses to read. */
const ANSWER_TIMEOUT_MS = 15_000;
/** The interval, in requests, of the bomb that was found first. */
const CLASSIC_EVERY = 8;

type Thrown = { target: Target; bomb: Bomb; framing: Framing; encoding: Encoding; bytes: number };

export const BOMB_ATTACKS: readonly Attack[] = [
  {
    name: "bombs-of-strangers",
    title: "bodies that explode, to every RPC of every door, without a token or with a wrong one",
    holdsFromSharedAddress: true,
    bounds: { countsMax: [unanswered()] },
    run: async (load) => {
      const credentials = [undefined, "nonsense", "x".repeat(4_000)] as const;
      await throwBombs(load, (_target, round) => credentials[round % credentials.length]);
    },
  },
  {
    name: "bombs-of-a-known-caller",
    title: "the same with a valid service token: other callers must not notice",
    holdsFromSharedAddress: false,
    bounds: { ...OWN_SHARE, countsMax: [unanswered()] },
    run: async (load) => await throwBombs(load, (target) => target.token),
  },
];

function unanswered() {
  return { matching: new RegExp(NOT_ANSWERED), max: 0, reason: "a whole request is answered" };
}

async function throwBombs(
  load: Load,
  tokenOf: (target: Target, round: number) => string | undefined,
): Promise<void> {
  const served = TARGETS.filter(isServed);
  await pace(load, PACE, async (round) => {
    const thrown = round % CLASSIC_EVERY === 0 ? classic(round) : draw(load, served);
    const { target, bomb, encoding, framing } = thrown;
    const bytes = request(thrown, tokenOf(target, round), strangerAddress(load.random));
    const outcome = await exchange(load.doors[target.door], bytes, {
      localAddress: load.localAddress,
      timeoutMs: ANSWER_TIMEOUT_MS,
    });
    const isWorthNaming = outcome === "500" || outcome === NOT_ANSWERED;
    const what = `${target.door} ${target.path} ${framing.name} ${encoding.name} ${bomb.name}`;
    load.count(isWorthNaming ? `${outcome}: ${what}` : outcome);
  });
}

/** A few bytes that expand to two million empty messages, in protobuf and in JSON. */
function classic(round: number): Thrown {
  const target = TARGETS.find(
    ({ door, path }) => door === "limiter" && path.endsWith("/ConsumeBatch"),
  );
  if (target === undefined) throw new Error("the limiter has no ConsumeBatch");
  const codec = round % (2 * CLASSIC_EVERY) === 0 ? "proto" : "json";
  const [framing] = FRAMINGS;
  const [encoding] = ENCODINGS;
  const wanted = codec === "proto" ? "empty values in requests" : "empty objects in requests";
  const bomb = bombsFor(target.input).find(({ name }) => name === wanted);
  if (bomb === undefined) throw new Error(`no bomb ${wanted}`);
  return { target, bomb, framing, encoding, bytes: 4 * 1024 * 1024 - 64 };
}

function draw({ random }: Load, served: readonly Target[]): Thrown {
  // One in ten goes to a door that does not serve it.
  const from = random.below(10) === 0 ? TARGETS : served;
  const target = from[random.below(from.length)];
  if (target === undefined) throw new Error("there is nothing to attack");
  const bombs = bombsFor(target.input);
  const bomb = bombs[random.below(bombs.length)];
  if (bomb === undefined) throw new Error("there are no bombs");
  return {
    target,
    bomb,
    framing: random.pick(FRAMINGS),
    encoding: random.pick(ENCODINGS),
    bytes: random.pick(SIZES),
  };
}

function request(thrown: Thrown, token: string | undefined, address: string): Buffer {
  const { target, bomb, framing, encoding, bytes } = thrown;
  const framed = framing.frame(bomb.build(bytes), bomb.codec, encoding);
  const { method, query, headers, body } = framed;
  const lines = [
    `${method} ${target.path}${query === undefined ? "" : `?${query}`} HTTP/1.1`,
    "host: portcullis",
    `x-forwarded-for: ${address}`,
    ...(token === undefined ? [] : [`authorization: Bearer ${token}`]),
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${body.length}`,
    "",
    "",
  ];
  return Buffer.concat([Buffer.from(lines.join("\r\n")), body]);
}
