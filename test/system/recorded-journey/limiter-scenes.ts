import { TOKENS } from "../../fixtures/services.ts";
import { recordLimiterBinary } from "./limiter-binary-scenes.ts";
import { recordLimiterRefusals } from "./limiter-refusal-scenes.ts";
import { limiterRpc as rpc } from "./limiter-rpc.ts";
import { type Recorder, textAt } from "./recorder.ts";

const ALL_OF_IT = { policy: "journey.bucket", key: "drained", cost: 5 };

/** Records every RPC of the limiter, with every algorithm. */
export async function recordLimiter(recorder: Recorder): Promise<void> {
  await recordAlgorithms(recorder);
  await recordGroups(recorder);
  await recordReceipts(recorder);
  await recordLeases(recorder);
  await recordLimiterRefusals(recorder);
  await recordLimiterBinary(recorder);
  const { send } = recorder;
  await send("GetInfo", rpc("GetInfo", {}));
  await send("GetInfo as the gateway", rpc("GetInfo", {}, { token: TOKENS.gateway }));
  await send("Health", { door: "limiter", method: "GET", path: "/healthz" });
}

async function recordAlgorithms({ send }: Recorder): Promise<void> {
  for (const algorithm of ["bucket", "sliding", "fixed", "shadow"]) {
    const bucket = { policy: `journey.${algorithm}`, key: "one" };
    await send(`Peek ${algorithm}`, rpc("Peek", { buckets: [bucket] }));
    await send(`Consume ${algorithm}`, rpc("Consume", { buckets: [bucket] }));
    for (let count = 0; count < 3; count++) {
      const cost = { ...bucket, cost: 1 };
      await send(`Consume ${algorithm} again`, rpc("Consume", { buckets: [cost] }));
    }
    await send(`Peek ${algorithm} after`, rpc("Peek", { buckets: [bucket] }));
    await send(`Reset ${algorithm}`, rpc("Reset", bucket));
    await send(`Reset ${algorithm} again`, rpc("Reset", bucket));
    await send(`Consume ${algorithm} anew`, rpc("Consume", { buckets: [bucket] }));
  }
  const bucket = { policy: "journey.blocking", key: "2001:db8::1" };
  for (let count = 0; count < 3; count++) {
    await send("Consume blocking", rpc("Consume", { buckets: [bucket] }));
  }
  const neighbour = { ...bucket, key: "2001:db8::2" };
  await send("Consume as its neighbour", rpc("Consume", { buckets: [neighbour] }));
  const doubtful = { ...bucket, doubtful: true };
  await send("Consume as a doubtful one", rpc("Consume", { buckets: [doubtful] }));
  await send("Reset a doubtful one", rpc("Reset", doubtful));
}

async function recordGroups({ send }: Recorder): Promise<void> {
  await send("Consume all of one", rpc("Consume", { buckets: [ALL_OF_IT] }));
  const other = { policy: "journey.fixed", key: "group" };
  const group = { buckets: [other, { ...ALL_OF_IT, cost: 1 }] };
  await send("Consume a group that is rejected", rpc("Consume", group));
  await send("Peek what it left", rpc("Peek", { buckets: [other] }));
  const shadowed = { buckets: [other, { policy: "journey.shadow", key: "group" }] };
  await send("Consume a group with a shadow", rpc("Consume", shadowed));
  await send("Consume it over the shadow's limit", rpc("Consume", shadowed));
  const batch = {
    requests: [
      { buckets: [{ policy: "journey.bucket", key: "batch" }] },
      { buckets: [{ policy: "journey.bucket", key: "batch", cost: 5 }] },
      { buckets: [{ policy: "journey.unknown", key: "batch" }] },
      { buckets: [] },
      { buckets: [{ policy: "journey.blocking", key: "noise" }] },
    ],
  };
  await send("ConsumeBatch", rpc("ConsumeBatch", batch));
  await send("ConsumeBatch of none", rpc("ConsumeBatch", {}));
  const callers = { requests: [{ buckets: [{ policy: "login.account", key: "batch" }] }] };
  await send("ConsumeBatch of another's policy", {
    ...rpc("ConsumeBatch", callers, { token: TOKENS.gateway }),
  });
}

async function recordReceipts({ send }: Recorder): Promise<void> {
  const bucket = { policy: "journey.bucket", key: "receipt", cost: 2 };
  const request = { buckets: [bucket], idempotencyKey: "journey" };
  const taken = await send("Consume with a key", rpc("Consume", request));
  await send("Consume with it again", rpc("Consume", request));
  const changed = { ...request, buckets: [{ ...bucket, cost: 1 }] };
  await send("Consume another with it", rpc("Consume", changed));
  const receipt = receiptOf(taken);
  const strangers = { token: TOKENS.gateway };
  await send("Refund for another caller", rpc("Refund", { receipt }, strangers));
  await send("Refund", rpc("Refund", { receipt }));
  await send("Refund again", rpc("Refund", { receipt }));
  await send("Peek after it", rpc("Peek", { buckets: [bucket] }));
  await send("Refund noise", rpc("Refund", { receipt: "noise" }));
  await send("Refund nothing", rpc("Refund", {}));
  const two = { buckets: [bucket, { policy: "journey.fixed", key: "receipt" }] };
  const both = receiptOf(await send("Consume two", rpc("Consume", two)));
  const policies = ["journey.fixed"];
  await send("Refund one of them", rpc("Refund", { receipt: both, policies }));
  await send("Refund the other", rpc("Refund", { receipt: both, policies: ["journey.bucket"] }));
  const unknown = { receipt: both, policies: ["journey.leases"] };
  await send("Refund what was not taken", rpc("Refund", unknown));
}

async function recordLeases({ send }: Recorder): Promise<void> {
  const place = { policy: "journey.leases", key: "place" };
  const ttl = "30s";
  await send("Acquire", rpc("Acquire", { ...place, leaseId: "a", ttl }));
  await send("Acquire it again", rpc("Acquire", { ...place, leaseId: "a", ttl }));
  await send("Acquire another", rpc("Acquire", { ...place, leaseId: "b", ttl }));
  await send("Acquire one too many", rpc("Acquire", { ...place, leaseId: "c", ttl }));
  await send("Renew", rpc("Renew", { leaseIds: ["a", "c", "noise"], ttl }));
  await send("Release", rpc("Release", { leaseIds: ["a", "noise"] }));
  await send("Renew after it", rpc("Renew", { leaseIds: ["a", "b"], ttl }));
  const group = {
    buckets: [
      { policy: "journey.bucket", key: "leases" },
      { ...place, leaseId: "d", leaseTtl: ttl },
    ],
  };
  const taken = await send("Consume with a lease", rpc("Consume", group));
  await send("Refund it", rpc("Refund", { receipt: receiptOf(taken) }));
  await send("Renew what was refunded", rpc("Renew", { leaseIds: ["d"], ttl }));
  await send("Reset the places", rpc("Reset", place));
  await send("Renew after the reset", rpc("Renew", { leaseIds: ["b"], ttl }));
  const bad: [string, object][] = [
    ["Acquire", { ...place, ttl }],
    ["Acquire", { ...place, leaseId: "e" }],
    ["Acquire", { ...place, leaseId: "e", ttl: "0s" }],
    ["Acquire", { ...place, leaseId: "e", ttl: "100000s" }],
    ["Acquire", { policy: "journey.bucket", key: "place", leaseId: "e", ttl }],
    ["Acquire", { policy: "journey.unknown", key: "place", leaseId: "e", ttl }],
    ["Renew", { leaseIds: [], ttl }],
    ["Renew", { leaseIds: ["a"] }],
    ["Release", {}],
    ["Consume", { buckets: [place] }],
    ["Consume", { buckets: [{ policy: "journey.bucket", key: "x", leaseId: "e" }] }],
  ];
  for (const [method, body] of bad) {
    await send(`${method} ${JSON.stringify(body)}`, rpc(method, body));
  }
}

function receiptOf(answer: unknown): string {
  return textAt(Object(answer).decision, "receipt");
}
