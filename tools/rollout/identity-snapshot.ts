import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { IdentityService } from "../../gen/portcullis/identity/v1/identity_pb.ts";
import { isText, mapWith, maybe, oneOf, wholeFrom } from "./form.ts";
import { ROLLOUT_SERVICES, type RolloutConfig, type RolloutServiceName } from "./rollout-config.ts";

/** What one service said of itself; what it did not say is undefined. */
export type ServiceSnapshot = {
  service: RolloutServiceName;
  said: { hops: number; failureMode: string; configHash: string } | undefined;
  /** Why there is no answer. */
  problem: string;
};

export const isServiceSnapshot = mapWith<ServiceSnapshot>({
  service: oneOf(ROLLOUT_SERVICES),
  said: maybe(mapWith({ hops: wholeFrom(0), failureMode: isText, configHash: isText })),
  problem: isText,
});

/** A service that has just been restarted gets this long to answer. */
const ANSWER_TIMEOUT_MS = 10_000;
const ATTEMPT_TIMEOUT_MS = 2_000;
const RETRY_PAUSE_MS = 250;

/** Asks every service directly how it is configured. */
export async function takeSnapshot(
  config: RolloutConfig,
  operatorToken: string | undefined,
): Promise<readonly ServiceSnapshot[]> {
  return await Promise.all(
    ROLLOUT_SERVICES.map(async (service): Promise<ServiceSnapshot> => {
      if (operatorToken === undefined) {
        return { service, said: undefined, problem: `${config.operatorTokenEnv} is not set` };
      }
      return await askWithPatience(service, addressesOf(config, service), operatorToken);
    }),
  );
}

/** Operators have a door of their own at the gateway, but for one of an earlier release. */
function addressesOf(
  { services, doors }: RolloutConfig,
  service: RolloutServiceName,
): readonly string[] {
  const { url } = services[service];
  return service === "gateway" ? [...new Set([doors.gatewayRpc, url])] : [url];
}

async function askWithPatience(
  service: RolloutServiceName,
  addresses: readonly string[],
  operatorToken: string,
): Promise<ServiceSnapshot> {
  const clients = addresses.map((baseUrl) => {
    return createClient(IdentityService, createConnectTransport({ baseUrl, httpVersion: "1.1" }));
  });
  const deadline = performance.now() + ANSWER_TIMEOUT_MS;
  for (;;) {
    const problems: string[] = [];
    for (const client of clients) {
      try {
        const { hops, failureMode, configHash } = await client.whoIsCalling(
          {},
          {
            headers: { authorization: `Bearer ${operatorToken}` },
            timeoutMs: ATTEMPT_TIMEOUT_MS,
          },
        );
        return { service, said: { hops, failureMode, configHash }, problem: "" };
      } catch (error) {
        problems.push(error instanceof Error ? error.message : String(error));
      }
    }
    const [problem = ""] = problems;
    if (performance.now() > deadline) return { service, said: undefined, problem };
    await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS));
  }
}
