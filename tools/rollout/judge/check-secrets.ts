import { callRpc } from "../../edge/probe/call-http.ts";
import { doubtful, failed, passed } from "../../edge/probe/check.ts";
import {
  type Deployment,
  type Door,
  doorUrl,
  type ServiceName,
} from "../../edge/probe/deployment.ts";
import type { Check } from "../terms/verdict.ts";
import type { ServiceFacts } from "./gather-facts.ts";
import { isLoopback } from "./loopback.ts";

/** Development tokens from our public sources, and the endpoints that each would open. */
const WELL_KNOWN: readonly { service: Door; rpc: string; token: string }[] = [
  ...(["auth", "limiter", "gatewayRpc"] as const).map((service) => ({
    service,
    rpc: "portcullis.identity.v1.IdentityService/WhoIsCalling",
    token: "development-operator-token",
  })),
  {
    service: "auth",
    rpc: "internal/gateway/revoked-tokens",
    token: "development-gateway-token",
  },
  ...["development-gateway-token", "development-auth-token"].map((token) => ({
    service: "limiter" as const,
    rpc: "portcullis.limiter.v1.LimiterService/GetInfo",
    token,
  })),
  {
    // Without a datasource name the call changes nothing, even if the token is accepted.
    service: "authAdmin",
    rpc: "portcullis.auth.v1.DatasourceService/Put",
    token: "development-operator-token",
  },
  {
    service: "gatewayRpc",
    rpc: "portcullis.realtime.v1.DependencyService/Check",
    token: "development-publisher-token",
  },
];

/** Whether a service accepts a token from the public sources. */
export async function checkWellKnownSecrets(deployment: Deployment): Promise<Check> {
  const subject = {
    id: "secrets.well-known",
    title: "Development tokens at the running services",
    why: "whoever has read the sources could speak for a service, or for the operator",
  };
  const tries = await Promise.all(
    WELL_KNOWN.map(async ({ service, rpc, token }) => {
      const { signal } = deployment;
      const url = doorUrl(deployment, service);
      const answer = await callRpc({ url, rpc, token, signal });
      return { service, token, status: answer.kind === "answer" ? answer.status : undefined };
    }),
  );
  const accepted = tries.filter(({ status }) => status !== undefined && status !== 401);
  const exposed = accepted.filter(({ service }) => !isLoopback(doorUrl(deployment, service)));
  if (exposed.length > 0) {
    const observed = exposed.map(({ service, token }) => `${service} takes ${token}`).join(", ");
    return failed(subject, observed, "set NODE_ENV=production and random service tokens");
  }
  if (tries.some(({ status }) => status === undefined)) {
    return doubtful(subject, "not every service answers", "start the services");
  }
  const observed =
    accepted.length === 0
      ? "refused everywhere"
      : "accepted, as in development; only this machine reaches the loopback addresses";
  return passed(subject, observed);
}

/**
 * Whether each service accepts the tokens that its callers present. No check unless every service's
 * file is given.
 */
export function checkAgreement(
  facts: readonly ServiceFacts[],
  operatorToken: string | undefined,
): Check[] {
  const fileOf = (name: ServiceName) => facts.find((service) => service.name === name)?.file;
  const [auth, limiter, gateway] = [fileOf("auth"), fileOf("limiter"), fileOf("gateway")];
  if (auth === undefined || limiter === undefined || gateway === undefined) return [];
  const subject = {
    id: "secrets.agree",
    title: "Service tokens in the environment files",
    why: "a caller with another token gets no decision, and fails closed",
  };
  const first = (text: string | undefined) => text?.split(",")[0]?.trim() ?? "";
  const accepts = (text: string | undefined, token: string) =>
    (text ?? "").split(",").some((part) => part.trim() === token);
  const pairs: [string, boolean][] = [
    [
      "GATEWAY_SERVICE_TOKEN of gateway and auth",
      accepts(auth["GATEWAY_SERVICE_TOKEN"], first(gateway["GATEWAY_SERVICE_TOKEN"])),
    ],
    [
      "GATEWAY_SERVICE_TOKEN of gateway and limiter",
      accepts(limiter["GATEWAY_SERVICE_TOKEN"], first(gateway["GATEWAY_SERVICE_TOKEN"])),
    ],
    [
      "AUTH_SERVICE_TOKEN of auth and limiter",
      accepts(limiter["AUTH_SERVICE_TOKEN"], first(auth["AUTH_SERVICE_TOKEN"])),
    ],
    ...facts.map(({ name, file }): [string, boolean] => [
      `OPERATOR_SERVICE_TOKEN of ${name} and ours`,
      accepts(file?.["OPERATOR_SERVICE_TOKEN"], operatorToken ?? ""),
    ]),
  ];
  const wrong = pairs.filter(([, agrees]) => !agrees).map(([name]) => name);
  if (wrong.length === 0) return [passed(subject, `${pairs.length} pairs agree`)];
  return [failed(subject, `${wrong.join("; ")} differ`, "put the caller's token into both files")];
}
