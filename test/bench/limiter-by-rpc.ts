import { Agent, request } from "node:http";
import { createTestClient } from "../clients/test-client.ts";
import { TOKENS } from "../fixtures/services.ts";
import type { Decider } from "./limiter-contestants.ts";

/** The same as the engine's own contestant. */
const bucketOf = (key: number) => ({
  policy: key < 0 ? "exhausted" : "plenty",
  key: `key-${key}`,
});

/** Longer than a real caller waits: the benchmark measures the rate, not the deadline. */
const TIMEOUT_MS = 10_000;
/** The connections that a service opens if it calls the RPC itself. */
const CONNECTIONS = 256;

/** A service that calls the limiter with the client that auth and the gateway use. */
export async function createClientDecider(limiterUrl: string): Promise<Decider> {
  const client = await createTestClient(limiterUrl, { timeoutMs: TIMEOUT_MS });
  return {
    async decide(keys) {
      const verdict = await client.consume(keys.map(bucketOf));
      if (verdict.kind === "no-decision") throw new Error("the limiter did not decide");
      return verdict.kind === "allowed";
    },
    close: async () => client.close(),
  };
}

/** A service that sends one JSON request for each decision. */
export function createUnaryDecider(limiterUrl: string): Decider {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const url = new URL("/portcullis.limiter.v1.LimiterService/Consume", limiterUrl);
  const headers = {
    "content-type": "application/json",
    authorization: `Bearer ${TOKENS.operator}`,
  };
  return {
    async decide(keys) {
      const body = JSON.stringify({ buckets: keys.map(bucketOf) });
      const answer = await new Promise<string>((resolve, reject) => {
        const call = request(url, { agent, method: "POST", headers }, (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (part: string) => {
            text += part;
          });
          response.on("end", () => resolve(text));
        });
        call.on("error", reject);
        call.end(body);
      });
      const { decision } = JSON.parse(answer);
      if (decision === undefined) throw new Error(`the limiter did not decide: ${answer}`);
      return decision.outcome === "OUTCOME_ALLOWED";
    },
    close: async () => agent.destroy(),
  };
}
