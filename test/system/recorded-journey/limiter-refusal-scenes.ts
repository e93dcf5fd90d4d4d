import { TOKENS } from "../../fixtures/services.ts";
import { limiterRpc as rpc } from "./limiter-rpc.ts";
import type { Recorder } from "./recorder.ts";

/** Records refusals: invalid requests, and callers without the right. */
export async function recordLimiterRefusals({ send }: Recorder): Promise<void> {
  const bucket = { policy: "journey.bucket", key: "refused" };
  const bad: unknown[] = [
    {},
    { buckets: [{}] },
    { buckets: [{ policy: bucket.policy }] },
    { buckets: [{ ...bucket, policy: "journey.unknown" }] },
    { buckets: [{ ...bucket, policy: "No Name" }] },
    { buckets: [{ ...bucket, cost: 0 }] },
    { buckets: [{ ...bucket, cost: 6 }] },
    { buckets: [{ ...bucket, cost: -1 }] },
    { buckets: [{ ...bucket, key: "x".repeat(513) }] },
    { buckets: [{ ...bucket, doubtful: true }] },
    { buckets: [{ policy: "journey.blocking", key: "203.0.113.9/24" }] },
    { buckets: [bucket, bucket] },
    { buckets: Array.from({ length: 17 }, (_, key) => ({ ...bucket, key: String(key) })) },
    { buckets: [bucket], idempotencyKey: "x".repeat(1_000) },
    { buckets: [bucket], unknown: 1 },
    { buckets: Array.from({ length: 65 }, () => ({})) },
    "{",
    "[]",
  ];
  for (const body of bad) {
    const title = JSON.stringify(body).slice(0, 80);
    await send(`Consume ${title}`, rpc("Consume", body));
    await send(`Peek ${title}`, rpc("Peek", body));
  }
  await send("Reset nothing", rpc("Reset", {}));
  await send("Reset as auth", rpc("Reset", bucket, { token: TOKENS.auth }));
  const one = { buckets: [bucket] };
  await send("Consume as nobody", rpc("Consume", one, { token: undefined }));
  await send("Consume with a wrong token", rpc("Consume", one, { token: "wrong" }));
  await send("Consume as the gateway", rpc("Consume", one, { token: TOKENS.gateway }));
  await send("Peek as the gateway", rpc("Peek", one, { token: TOKENS.gateway }));
  await send("Consume as a publisher", rpc("Consume", one, { token: TOKENS.publisher }));
  await send("Consume too large", rpc("Consume", { idempotencyKey: "x".repeat(70_000) }));
  await send("Consume as text", rpc("Consume", one, { headers: { "content-type": "text/plain" } }));
  await send("Consume with GET", rpc("Consume", undefined, { method: "GET" }));
  await send("No such RPC", rpc("Nothing", {}));
  await send("A policy off the list of the door", rpc("Consume", one, { door: "auth" }));
}
