import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { pino } from "pino";
import { afterEach, describe, expect, test } from "vitest";
import { createLimiterClient } from "../../clients/limiter/create-limiter-client.ts";
import type { FailureConfig } from "../../clients/limiter/failure-config.ts";
import type { LimiterClient } from "../../clients/limiter/limiter-client.ts";
import { loadStandIn } from "../../clients/limiter/stand-in.ts";
import type { Verdict } from "../../clients/limiter/verdict.ts";
import {
  LimiterService,
  NoDecisionSchema,
  Outcome,
} from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { createManualClock } from "../../services/runtime/clock.ts";
import { Secret } from "../../services/runtime/secret.ts";

const TIMEOUT_MS = 200;
/** For tests that do much at once, also on a busy machine. */
const PATIENT_MS = 2_000;
const CLOSED: FailureConfig = { mode: "fail-closed" };
const OPEN: FailureConfig = { mode: "fail-open", change: "CHG-1", untilMs: 10_000 };
const BUCKET = { policy: "realtime.connect.ip", key: "203.0.113.9" };

const allowed = {
  decision: { outcome: Outcome.ALLOWED, receipt: "r", buckets: [{ remaining: 3n, limit: 4n }] },
};

const rejected = {
  decision: {
    outcome: Outcome.REJECTED,
    retryAfter: { seconds: 2n, nanos: 500_000_000 },
    buckets: [{ retryAfter: { seconds: 2n, nanos: 500_000_000 } }],
  },
};

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** Limiters that cannot decide, each in its own way. */
const outages: Record<string, RequestListener> = {
  "an outage": limiter({ consume: refuse(Code.Unavailable) }),
  "no answer at all": () => {},
  "a connection that breaks": (request) => request.socket.destroy(),
  "an answer that breaks off": (_request, response) => {
    response.writeHead(200, { "content-type": "application/proto", "content-length": "100" });
    response.write("x", () => response.destroy());
  },
};

/** Limiters that answer something that must never be taken for a decision. */
const refusals: Record<string, RequestListener> = {
  "a wrong token": limiter({ consume: refuse(Code.Unauthenticated) }),
  "a forbidden policy": limiter({ consume: refuse(Code.PermissionDenied) }),
  "an unknown policy": limiter({ consume: refuse(Code.NotFound) }),
  "an invalid key": limiter({ consume: refuse(Code.InvalidArgument) }),
  "a bug": limiter({ consume: refuse(Code.Internal) }),
  resource_exhausted: limiter({ consume: refuse(Code.ResourceExhausted) }),
  "no decision in the answer": limiter({ consume: () => ({}) }),
  "an unspecified outcome": limiter({ consume: () => ({ decision: { buckets: [{}] } }) }),
  "a decision about other buckets": limiter({
    consume: () => ({ decision: { outcome: Outcome.ALLOWED, buckets: [{}, {}] } }),
  }),
  "an answer that is no message": (_request, response) => {
    response.writeHead(200, { "content-type": "application/proto" }).end("not a message");
  },
  "a web page": (_request, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<html>");
  },
};

describe("consume() fails closed", () => {
  for (const [what, listener] of Object.entries({ ...outages, ...refusals })) {
    test(`on ${what}`, async () => {
      const { client } = await setup(listener, CLOSED);
      const verdict = await client.consume([BUCKET]);
      expect(verdict).toEqual({ kind: "no-decision", retryAfterMs: 1_000 });
    });
  }
});

describe("consume() in fail-open mode", () => {
  for (const [what, listener] of Object.entries(outages)) {
    test(`proceeds under limits of its own on ${what}`, async () => {
      const { client } = await setup(listener, OPEN);
      const verdict = await client.consume([BUCKET]);
      expect(verdict).toMatchObject({ kind: "allowed", remaining: 59, isFailOpen: true });
    });
  }

  for (const [what, listener] of Object.entries(refusals)) {
    test(`still refuses on ${what}`, async () => {
      const { client } = await setup(listener, OPEN);
      expect((await client.consume([BUCKET])).kind).toBe("no-decision");
    });
  }

  test("returns what it took itself, once", async () => {
    const { client } = await setup(limiter({ consume: refuse(Code.Unavailable) }), OPEN);
    const verdict = await client.consume([BUCKET]);
    const receipt = verdict.kind === "allowed" ? verdict.receipt : "";
    expect(await client.refund(receipt)).toBe(true);
    expect(await client.refund(receipt)).toBe(false);
    expect(await client.consume([BUCKET])).toMatchObject({ remaining: 59 });
  });

  test("refuses what is always closed, and takes nothing for it", async () => {
    const { client } = await setup(limiter({ consume: refuse(Code.Unavailable) }), OPEN);
    const refused = await client.consume([BUCKET], { alwaysClosed: true });
    expect(refused).toEqual({ kind: "no-decision", retryAfterMs: 1_000 });
    expect(await client.consume([BUCKET])).toMatchObject({ remaining: 59 });
  });

  test("limits what it lets through, and ends by itself", async () => {
    const { client, clock } = await setup(limiter({ consume: refuse(Code.Unavailable) }), OPEN);
    const verdicts: Verdict[] = [];
    for (let request = 0; request < 61; request++) verdicts.push(await client.consume([BUCKET]));
    expect(verdicts.filter(({ kind }) => kind === "allowed")).toHaveLength(60);
    expect(verdicts.at(-1)).toMatchObject({ kind: "rejected", isFailOpen: true });
    expect(client.failureMode()).toBe("fail-open");
    clock.advance(10_000);
    expect(client.failureMode()).toBe("fail-closed");
    expect((await client.consume([BUCKET])).kind).toBe("no-decision");
  });
});

test("consume() tells over-limit from no decision, and names the policy and the wait", async () => {
  const { client } = await setup(
    limiter({
      consume: () => ({
        decision: {
          outcome: Outcome.REJECTED,
          retryAfter: { seconds: 2n, nanos: 500_000_000 },
          buckets: [{}, { retryAfter: { seconds: 2n, nanos: 500_000_000 } }],
        },
      }),
    }),
    CLOSED,
  );
  const verdict = await client.consume([BUCKET, { policy: "other", key: "x" }]);
  expect(verdict).toEqual({
    kind: "rejected",
    policy: "other",
    retryAfterMs: 2_500,
    isFailOpen: false,
  });
});

test("consume() travels in batches under load, each with its own answer", async () => {
  const sizes: number[] = [];
  const { client } = await setup(
    limiter({
      consume: async () => await new Promise((resolve) => setTimeout(() => resolve(allowed), 50)),
      consumeBatch: ({ requests }) => {
        sizes.push(requests.length);
        return {
          results: requests.map(({ buckets }) =>
            buckets[0]?.policy === "realtime.connect.bad"
              ? { result: { case: "error", value: { code: "unavailable", message: "busy" } } }
              : { result: { case: "decision", value: allowed.decision } },
          ),
        };
      },
    }),
    CLOSED,
  );
  const policies = [...new Array<string>(19).fill(BUCKET.policy), "realtime.connect.bad"];
  const verdicts = await Promise.all(
    policies.map((policy) => client.consume([{ ...BUCKET, policy }])),
  );
  const kinds = verdicts.map(({ kind }) => kind);
  expect(kinds).toEqual([...new Array<string>(19).fill("allowed"), "no-decision"]);
  expect(sizes).toEqual([16]);
});

test("consume() goes on asking a limiter that has too much to do, in batches too", async () => {
  const overloaded = { code: "unavailable", message: "no decision", reason: "overloaded" };
  const { client } = await setup(
    limiter({
      consume: async () => await new Promise((resolve) => setTimeout(() => resolve(allowed), 50)),
      consumeBatch: ({ requests }) => ({
        results: requests.map(() => ({ result: { case: "error", value: overloaded } })),
      }),
    }),
    CLOSED,
  );
  const verdicts = await Promise.all(new Array(20).fill(BUCKET).map((b) => client.consume([b])));
  expect(verdicts.filter(({ kind }) => kind === "no-decision")).toHaveLength(16);
  expect(await client.consume([BUCKET])).toMatchObject({ kind: "allowed" });
});

test("consume() in fail-open mode keeps refusing whom an overloaded limiter had rejected", async () => {
  const answers = [rejected];
  const overloaded = [{ desc: NoDecisionSchema, value: { reason: "overloaded" } }];
  const { client, clock } = await setup(
    limiter({
      consume: () => {
        const answer = answers.pop();
        if (answer !== undefined) return answer;
        throw new ConnectError("too much", Code.Unavailable, undefined, overloaded);
      },
    }),
    OPEN,
  );
  const refused = { kind: "rejected", policy: BUCKET.policy, retryAfterMs: 2_500 };
  expect(await client.consume([BUCKET])).toEqual({ ...refused, isFailOpen: false });
  expect(await client.consume([BUCKET])).toEqual({ ...refused, isFailOpen: true });
  const other = { ...BUCKET, key: "203.0.113.10" };
  expect(await client.consume([other])).toMatchObject({ kind: "allowed", isFailOpen: true });
  clock.advance(2_500);
  expect(await client.consume([BUCKET])).toMatchObject({ kind: "allowed", isFailOpen: true });
});

test("consume() asks for others beside calls that hang", async () => {
  const { client } = await setup(
    limiter({
      consume: async ({ buckets }) =>
        buckets[0]?.key === BUCKET.key ? await new Promise<never>(() => {}) : allowed,
    }),
    CLOSED,
  );
  const hanging = Promise.all(new Array(20).fill(BUCKET).map((b) => client.consume([b])));
  const others = [
    { ...BUCKET, key: "203.0.113.10" },
    { policy: "another.class", key: "x" },
  ];
  const verdicts = await Promise.all(others.map((bucket) => client.consume([bucket])));
  expect(verdicts.map(({ kind }) => kind)).toEqual(["allowed", "allowed"]);
  expect((await hanging).every(({ kind }) => kind === "no-decision")).toBe(true);
});

test("refund() and release() are bounded, and take no place of consumes", async () => {
  let underway = 0;
  let most = 0;
  const hang = async () => {
    most = Math.max(most, ++underway);
    return await new Promise<never>(() => {});
  };
  const { client } = await setup(
    limiter({ consume: () => allowed, refund: hang, release: hang }),
    CLOSED,
    undefined,
    PATIENT_MS,
  );
  const refunds = Array.from({ length: 1_100 }, () => client.refund("r"));
  const releases = Array.from({ length: 150 }, () => client.release(["l"]));
  expect(await client.consume([BUCKET])).toMatchObject({ kind: "allowed" });
  expect(new Set(await Promise.all([...refunds, ...releases]))).toEqual(new Set([false]));
  // Eight refunds and four releases, once more when the first ones have timed out here.
  expect(most).toBeLessThanOrEqual(2 * (8 + 4));
});

test("consume() refuses a batch of the wrong length as a whole", async () => {
  const { client } = await setup(
    limiter({
      consume: async () => await new Promise((resolve) => setTimeout(() => resolve(allowed), 50)),
      consumeBatch: () => ({
        results: [{ result: { case: "decision", value: allowed.decision } }],
      }),
    }),
    OPEN,
  );
  const verdicts = await Promise.all(new Array(8).fill(BUCKET).map((b) => client.consume([b])));
  const refused = verdicts.filter(({ kind }) => kind === "no-decision");
  expect(refused).toHaveLength(4);
});

test("consume() treats a limiter with another backend as none, also in fail-open mode", async () => {
  const listener = limiter({ consume: () => allowed, getInfo: () => ({ backend: "memory" }) });
  const { client } = await setup(listener, OPEN, "postgres");
  expect((await client.consume([BUCKET])).kind).toBe("no-decision");
  const sound = limiter({ consume: () => allowed, getInfo: () => ({ backend: "postgres" }) });
  const { client: other } = await setup(sound, OPEN, "postgres");
  expect(await other.consume([BUCKET])).toMatchObject({ kind: "allowed", isFailOpen: false });
});

test("consume() looks at the backend while it waits for the decision", async () => {
  const slowly = async <T>(answer: T): Promise<T> =>
    await new Promise((resolve) => setTimeout(() => resolve(answer), TIMEOUT_MS * 0.75));
  const { client } = await setup(
    limiter({
      consume: async () => await slowly(allowed),
      getInfo: async () => await slowly({ backend: "postgres" }),
    }),
    CLOSED,
    "postgres",
  );
  expect((await client.consume([BUCKET])).kind).toBe("allowed");
});

test("consume() stops asking a limiter that is gone, and finds out when it is back", async () => {
  let asked = 0;
  let isBack = false;
  const { client, clock } = await setup(
    limiter({
      consume: () => {
        asked++;
        if (!isBack) throw new ConnectError("down", Code.Unavailable);
        return allowed;
      },
    }),
    CLOSED,
  );
  for (let request = 0; request < 20; request++) await client.consume([BUCKET]);
  expect(asked).toBe(5);
  isBack = true;
  clock.advance(1_000);
  expect((await client.consume([BUCKET])).kind).toBe("allowed");
  expect((await client.consume([BUCKET])).kind).toBe("allowed");
});

test("consume() knows a limiter that refuses for one that is back", async () => {
  const answers = [Code.NotFound, Code.InvalidArgument];
  let isBack = false;
  const { client, clock } = await setup(
    limiter({
      consume: () => {
        if (!isBack) throw new ConnectError("down", Code.Unavailable);
        const refusal = answers.pop();
        if (refusal !== undefined) throw new ConnectError("not this", refusal);
        return allowed;
      },
    }),
    CLOSED,
  );
  for (let request = 0; request < 5; request++) await client.consume([BUCKET]);
  isBack = true;
  clock.advance(1_000);
  const verdicts: Verdict[] = [];
  for (let request = 0; request < 3; request++) verdicts.push(await client.consume([BUCKET]));
  expect(verdicts.map(({ kind }) => kind)).toEqual(["no-decision", "no-decision", "allowed"]);
});

test("refund() answers whether it was done, and never throws", async () => {
  const { client } = await setup(
    limiter({ refund: ({ receipt, policies }) => ({ refunded: receipt + policies[0] === "rp" }) }),
    CLOSED,
  );
  expect(await client.refund("r", ["p"])).toBe(true);
  expect(await client.refund("x")).toBe(false);
  expect(await client.refund("")).toBe(false);
  const { client: broken } = await setup(limiter({ refund: refuse(Code.Internal) }), CLOSED);
  expect(await broken.refund("r")).toBe(false);
});

function refuse(code: Code) {
  return () => {
    throw new ConnectError("refused", code);
  };
}

/** A limiter whose answers the test chooses, over real HTTP. */
function limiter(answers: Partial<ServiceImpl<typeof LimiterService>>): RequestListener {
  return connectNodeAdapter({ routes: (router) => router.service(LimiterService, answers) });
}

async function setup(
  listener: RequestListener,
  failure: FailureConfig,
  requiredBackend?: string,
  timeoutMs = TIMEOUT_MS,
) {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const clock = createManualClock(1_000);
  const client: LimiterClient = createLimiterClient({
    url: `http://127.0.0.1:${port}`,
    token: new Secret("token"),
    surface: "realtime",
    policies: [BUCKET.policy],
    failure,
    standIn: await loadStandIn({ ipv6PrefixBits: 64 }),
    timeoutMs,
    requiredBackend,
    log: pino({ level: "silent" }),
    clock,
  });
  closing.push(() => {
    client.close();
    server.close();
    server.closeAllConnections();
  });
  return { client, clock };
}
