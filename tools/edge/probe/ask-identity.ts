import { fromJsonString } from "@bufbuild/protobuf";
import {
  Source,
  WhoIsCallingResponseSchema,
} from "../../../gen/portcullis/identity/v1/identity_pb.ts";
import type { HeaderLine } from "../spoof.ts";
import { answerText, callRpc, type HttpAnswer } from "./call-http.ts";
import { type Deployment, doorUrl, type ServiceName } from "./deployment.ts";

/** What a service says about itself and about one caller. */
export type Identity = {
  kind: "identity";
  address: string;
  isForwarded: boolean;
  warning: string;
  hops: number;
  entries: number;
  failureMode: string;
  configHash: string;
  /** Unset by services of earlier releases. */
  settings?: { backend: string; policiesHash: string } | undefined;
  /**
   * The address that each number of hops from 0 on would derive; empty if doubtful. Probes only.
   */
  byHops: readonly string[];
};

export type IdentityAnswer =
  | Identity
  /** The service answers, but has not seen the probe. */
  | { kind: "unseen" }
  | { kind: "unknown"; problem: string };

/** Asks a service directly which address it derives for us, or for the sender of a probe. */
export async function askIdentity(
  deployment: Deployment,
  name: ServiceName,
  ask: { probe?: string; headers?: readonly HeaderLine[] } = {},
): Promise<IdentityAnswer> {
  const { probe, headers = [] } = ask;
  const { operatorToken, services, signal } = deployment;
  if (operatorToken === undefined) return { kind: "unknown", problem: "no operator token is set" };
  const askAt = (url: string) => {
    return callRpc({
      url,
      rpc: "portcullis.identity.v1.IdentityService/WhoIsCalling",
      token: operatorToken.reveal(),
      body: probe === undefined ? { withSettings: true } : { probe },
      headers,
      signal,
    });
  };
  const answer = await askGateway(name, askAt, {
    ...services,
    rpc: doorUrl(deployment, "gatewayRpc"),
  });
  if (answer.kind === "answer" && answer.status === 404 && probe !== undefined) {
    return { kind: "unseen" };
  }
  if (answer.kind === "none" || answer.status !== 200) {
    const hint = answer.kind === "answer" && answer.status === 401 ? " (wrong operator token)" : "";
    return { kind: "unknown", problem: `${answerText(answer)}${hint}` };
  }
  return readIdentity(answer.body);
}

/** Asks the gateway at its operator door first; an earlier release answers at its public port. */
async function askGateway(
  name: ServiceName,
  askAt: (url: string) => Promise<HttpAnswer>,
  urls: Readonly<Record<ServiceName | "rpc", string>>,
): Promise<HttpAnswer> {
  if (name !== "gateway") return await askAt(urls[name]);
  const answer = await askAt(urls.rpc);
  if (answer.kind === "answer" || urls.rpc === urls.gateway) return answer;
  const earlier = await askAt(urls.gateway);
  const isEarlier = earlier.kind === "answer" && earlier.headers["content-type"] !== undefined;
  return isEarlier && earlier.status !== 404 ? earlier : answer;
}

function readIdentity(body: string): IdentityAnswer {
  try {
    const options = { ignoreUnknownFields: true };
    const { source, findings, ...identity } = fromJsonString(
      WhoIsCallingResponseSchema,
      body,
      options,
    );
    const isForwarded = source === Source.FORWARDED;
    return { ...identity, kind: "identity", isForwarded, byHops: findings?.byHops ?? [] };
  } catch {
    return { kind: "unknown", problem: "its answer could not be read" };
  }
}
