import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import * as z from "zod";
import { IdentityService } from "../../../gen/portcullis/identity/v1/identity_pb.ts";
import { LimiterService } from "../../../gen/portcullis/limiter/v1/limiter_pb.ts";
import {
  ROLLOUT_SERVICES,
  type RolloutConfig,
  type RolloutServiceName,
} from "../settings/rollout-config.ts";
import type { HopsByService } from "./good-window.ts";

/** What a service says of the way it runs. Earlier releases leave out what is optional. */
export type Said = {
  hops: number;
  failureMode: string;
  configHash: string;
  version?: string | undefined;
  revision?: string | undefined;
  backend?: string | undefined;
  policiesHash?: string | undefined;
};

/** What one service said of itself; what it did not say is undefined. */
export type ServiceSnapshot = {
  service: RolloutServiceName;
  said?: Said | undefined;
  /** Why there is no answer. */
  problem: string;
};

/** Where services are asked, and with which token. */
export type SnapshotSource = Pick<RolloutConfig, "services" | "doors" | "operatorTokenEnv">;

const saidSchema: z.ZodType<Said> = z.object({
  hops: z.int().min(0),
  failureMode: z.string(),
  configHash: z.string(),
  version: z.string().optional(),
  revision: z.string().optional(),
  backend: z.string().optional(),
  policiesHash: z.string().optional(),
});

export const serviceSnapshotSchema: z.ZodType<ServiceSnapshot> = z.object({
  service: z.enum(ROLLOUT_SERVICES),
  said: saidSchema.optional(),
  problem: z.string(),
});

/** Whether a service lets requests through without a decision. */
export function isOpen({ said }: ServiceSnapshot): boolean {
  return said?.failureMode === "fail-open";
}

/** How many proxies each service that answers says it trusts. */
export function hopsOf(services: readonly ServiceSnapshot[]): HopsByService {
  const known = services.flatMap(({ service, said }) =>
    said ? [[service, said.hops] as const] : [],
  );
  return Object.fromEntries(known);
}

/** The release that a service says it is of; undefined where it does not know. */
export function releaseText(said: Said | undefined): string | undefined {
  return said?.version ? `${said.version} (${said.revision || "unknown"})` : undefined;
}

/** A service that has just been restarted gets this long to answer. */
const ANSWER_TIMEOUT_MS = 10_000;
const ATTEMPT_TIMEOUT_MS = 2_000;
const RETRY_PAUSE_MS = 250;

/** Asks every service directly how it is configured. */
export async function takeSnapshot(
  source: SnapshotSource,
  operatorToken: string | undefined,
): Promise<readonly ServiceSnapshot[]> {
  return await Promise.all(
    ROLLOUT_SERVICES.map(async (service): Promise<ServiceSnapshot> => {
      if (operatorToken === undefined) {
        return { service, said: undefined, problem: `${source.operatorTokenEnv} is not set` };
      }
      return await askWithPatience(service, addressesOf(source, service), operatorToken);
    }),
  );
}

/** Operators have a door of their own at the gateway, but for one of an earlier release. */
function addressesOf(
  { services, doors }: SnapshotSource,
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
  const transports = addresses.map((baseUrl) => {
    return createConnectTransport({ baseUrl, httpVersion: "1.1" });
  });
  const deadline = performance.now() + ANSWER_TIMEOUT_MS;
  for (;;) {
    const problems: string[] = [];
    for (const transport of transports) {
      try {
        return { service, said: await ask(service, transport, operatorToken), problem: "" };
      } catch (error) {
        problems.push(error instanceof Error ? error.message : String(error));
      }
    }
    const [problem = ""] = problems;
    if (performance.now() > deadline) return { service, said: undefined, problem };
    await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS));
  }
}

async function ask(
  service: RolloutServiceName,
  transport: Transport,
  operatorToken: string,
): Promise<Said> {
  const call = {
    headers: { authorization: `Bearer ${operatorToken}` },
    timeoutMs: ATTEMPT_TIMEOUT_MS,
  };
  const { whoIsCalling } = createClient(IdentityService, transport);
  const { hops, failureMode, configHash, version, revision, settings } = await whoIsCalling(
    { withSettings: true },
    call,
  );
  // A limiter of an earlier release says its backend elsewhere.
  const info =
    service === "limiter" && settings === undefined
      ? await createClient(LimiterService, transport).getInfo({}, call)
      : undefined;
  const backend = settings?.backend ?? info?.backend;
  return {
    ...{ hops, failureMode, configHash },
    ...(version !== "" && { version, revision }),
    ...(backend && { backend }),
    ...(settings && { policiesHash: settings.policiesHash }),
  };
}
