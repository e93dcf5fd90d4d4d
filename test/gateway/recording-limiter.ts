import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  type ConsumeRequest,
  LimiterService,
  Outcome,
} from "../../gen/portcullis/limiter/v1/limiter_pb.ts";

/**
 * A server of the limiter's contract that allows everything, or nothing, and keeps what it was
 * asked: the real one stores digests, from which no test could read an address.
 */
export async function startRecordingLimiter({
  delayMs = 0,
  outcome = Outcome.ALLOWED,
}: {
  delayMs?: number;
  outcome?: Outcome | undefined;
} = {}) {
  const asked: ConsumeRequest["buckets"] = [];
  const released: string[] = [];
  const decide = ({ buckets }: ConsumeRequest) => {
    asked.push(...buckets);
    const answers = buckets.map(({ policy }) => ({ policy, limit: 9n, remaining: 8n }));
    return { decision: { outcome, receipt: "receipt", buckets: answers } };
  };
  const server = createServer(
    connectNodeAdapter({
      routes: (router) =>
        router.service(LimiterService, {
          async consume(request) {
            const answer = decide(request);
            await sleep(delayMs);
            return answer;
          },
          release({ leaseIds }) {
            released.push(...leaseIds);
            return {};
          },
          consumeBatch: ({ requests }) => ({
            results: requests.map((request) => {
              return { result: { case: "decision" as const, value: decide(request).decision } };
            }),
          }),
        }),
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    released,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
