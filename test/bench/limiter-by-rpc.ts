import { Agent, request } from "node:http";
import { createTestClient } from "../clients/test-client.ts";
import { TOKENS } from "../fixtures/services.ts";
import type { Decider } from "./limiter-contestants.ts";

/** As the engine's own contestant has them. */
const bucketOf = (key: number) => ({
  policy: key < 0 ? "exhausted" : "plenty",
  key: `key-${key}`,
});

/** A caller would not wait for so long; that it does shows the rate and not the bound. */
const TIMEOUT_MS = 10_000;
/** What a service that calls the RPC itself would open. */
const CONNECTIONS = 256;

/** A service that asks the limiter with the client that auth and the gateway have. */
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
