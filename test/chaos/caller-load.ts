import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { LimiterService, Outcome } from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { Receipts } from "../../services/limiter/rpc/receipt.ts";
import { Secret } from "../../services/runtime/secret.ts";
import { TOKENS } from "../fixtures/services.ts";
import type { AdmissionLog } from "./admission-log.ts";

const BATCH = 200;
/** Calls in flight to each replica. */
const CALLS_PER_REPLICA = 4;
const CALL_TIMEOUT_MS = 3_000;
/** How long callers wait before they retry a replica that is down. */
const RETRY_MS = 20;

export const SALT = "a salt that survives every crash";
export const KEYS = 12;

/**
 * Tight policies, at their limits most of the time. One token of `daily` takes minutes to refill,
 * so its admissions can be counted.
 */
export const LOAD_POLICIES = {
  daily: { key: "text", algorithm: "token_bucket", limit: 100, period: "1d", burst: 3_000 },
  bucket: { key: "text", algorithm: "token_bucket", limit: 20, period: "1s", burst: 60 },
  sliding: { key: "text", algorithm: "sliding_window", limit: 30, period: "1s" },
  window: { key: "text", algorithm: "fixed_window", limit: 30, period: "1s" },
};

const POLICY_NAMES = Object.keys(LOAD_POLICIES);

/** Calls replicas without pause; replicas may come and go. */
export function startLoad(urls: readonly string[], log: AdmissionLog): { stop(): Promise<void> } {
  let isRunning = true;
  const callers = urls.flatMap((url) =>
    Array.from({ length: CALLS_PER_REPLICA }, async () => {
      const client = connect(url);
      while (isRunning) await consumeBatch(client, log);
    }),
  );
  return {
    async stop() {
      isRunning = false;
      await Promise.all(callers);
    },
  };
}

function connect(url: string): Client<typeof LimiterService> {
  return createClient(
    LimiterService,
    createConnectTransport({
      baseUrl: url,
      httpVersion: "1.1",
      interceptors: [
        (next) => async (request) => {
          request.header.set("authorization", `Bearer ${TOKENS.operator}`);
          return await next(request);
        },
      ],
    }),
  );
}

type Wish = { policy: string; key: string };

const receipts = new Receipts([new Secret(SALT)]);

async function consumeBatch(
  client: Client<typeof LimiterService>,
  log: AdmissionLog,
): Promise<void> {
  const requests = Array.from({ length: BATCH }, () => ({ buckets: drawGroup() }));
  const answers = await client
    .consumeBatch({ requests }, { timeoutMs: CALL_TIMEOUT_MS })
    .catch(() => undefined);
  for (const [index, { buckets }] of requests.entries()) {
    const result = answers?.results[index]?.result;
    if (result?.case === "decision" && result.value.outcome !== Outcome.UNSPECIFIED) {
      log.decisions++;
      if (result.value.outcome === Outcome.ALLOWED) admit(log, buckets, result.value.receipt);
    } else {
      log.lost++;
      for (const { policy, key } of buckets) log.lose(policy, key);
    }
  }
  if (answers === undefined) await sleep(RETRY_MS);
}

function admit(log: AdmissionLog, buckets: readonly Wish[], receipt: string): void {
  const read = receipts.read(receipt);
  if (read === undefined) throw new Error("an allowed answer without a receipt");
  log.allowed++;
  for (const { policy, key } of buckets) log.admit(policy, key, read.chargedAtMs);
}

/** Mostly one bucket, sometimes a group of three. */
function drawGroup(): Wish[] {
  const size = randomInt(10) < 7 ? 1 : 3;
  const first = randomInt(POLICY_NAMES.length);
  return Array.from({ length: size }, (_, index) => ({
    policy: POLICY_NAMES[(first + index) % POLICY_NAMES.length] ?? "",
    key: `key-${randomInt(KEYS)}`,
  }));
}
