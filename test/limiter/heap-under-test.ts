import { BucketDirectory } from "../../services/limiter/decisions/bucket-directory.ts";
import type { Demand } from "../../services/limiter/decisions/decision.ts";
import { Limiter } from "../../services/limiter/decisions/limiter.ts";
import { Engine } from "../../services/limiter/engine/engine.ts";
import { NoDecisionError } from "../../services/limiter/engine/no-decision.ts";
import { createEvents } from "../../services/limiter/events.ts";
import { parsePolicies } from "../../services/limiter/rules/parse-policies.ts";
import { plainDigest } from "../../services/limiter/store/key-digest.ts";
import { MemoryStore } from "../../services/limiter/store/memory-store.ts";
import { createManualClock } from "../../services/runtime/clock.ts";
import { Secret } from "../../services/runtime/secret.ts";

// A process of its own, started with a small heap: consumes with ever new keys, as long as the
// limiter accepts, and ends with 0 when its memory was enough.

const KEYS = Number(process.argv[2]);
const BATCH = 500;

const text = { key: "text", limit: 5, period: "1d" };
const policies = parsePolicies({
  policies: {
    bucket: { ...text, algorithm: "token_bucket" },
    sliding: { ...text, algorithm: "sliding_window" },
    fixed: { ...text, algorithm: "fixed_window" },
    network: {
      ...{ key: "address_and_text", algorithm: "token_bucket", limit: 5, period: "1d" },
      wider: { prefix: 48, limit: 50 },
    },
    places: { key: "address_and_text", algorithm: "concurrency", limit: 5 },
  },
});
const directory = new BucketDirectory({
  policies,
  salts: [new Secret("one"), new Secret("other")],
  ipv6PrefixBits: 64,
});
const engine = new Engine(new MemoryStore(createManualClock(1_700_000_000_000)), {
  createEvents: (queueDepth) => createEvents(policies, queueDepth),
  onFailure: () => undefined,
});
const limiter = new Limiter({ engine, waitMs: 60_000 });
const counts = { decided: 0, refused: 0 };

/** Keys of as many bytes as are allowed, as a decoder makes them. */
function longKey(start: string, filling: string): string {
  const bytes = Buffer.from(start + filling.repeat(512)).subarray(0, 510);
  return bytes.toString("utf8").replace(/\uFFFD+$/, "");
}

function demand(policy: string, key: string, isDoubtful: boolean, lease?: string): Demand {
  const found = directory.find(policy, key, isDoubtful);
  if (found.kind !== "found") throw new Error(`no bucket: ${found.kind}`);
  const { target } = found;
  return lease === undefined
    ? { target, cost: 1 }
    : { target, cost: 1, lease: { id: plainDigest(lease), ttlMs: 3_600_000 } };
}

async function consume(demands: readonly Demand[], key?: string): Promise<void> {
  const id = key === undefined ? undefined : plainDigest(key);
  try {
    await limiter.consume(demands, id === undefined ? undefined : { id, body: id });
    counts.decided++;
  } catch (error) {
    if (!(error instanceof NoDecisionError)) throw error;
    counts.refused++;
  }
}

function address(i: number): string {
  return `2001:db8:${(i >> 8).toString(16)}:${(i & 255).toString(16)}::1`;
}

for (let from = 0; from < KEYS; from += BATCH) {
  const numbers = Array.from({ length: BATCH }, (_, i) => from + i);
  await Promise.all(
    numbers.map(async (i) => {
      const latin = longKey(`${i} `, "x");
      const wide = longKey(`${address(i)} ${i}`, "€");
      const isDoubtful = i % 2 === 0;
      switch (i % 6) {
        case 0:
          return await consume([demand("bucket", latin, isDoubtful)], `key ${i}`);
        case 1:
          return await consume([demand("bucket", latin, false)]);
        case 2:
          return await consume([demand("sliding", latin, isDoubtful)]);
        case 3:
          return await consume([demand("network", wide, false)]);
        case 4:
          return await consume([demand("places", wide, isDoubtful, `lease ${i}`)]);
        default:
          return await consume([demand("fixed", latin, false), demand("network", wide, false)]);
      }
    }),
  );
}
process.stdout.write(`${JSON.stringify(counts)}\n`);
await engine.drain();
