import { randomBytes } from "node:crypto";
import pLimit from "p-limit";
import { PROBE_HEADER, PROBE_NONCE_BYTES, signProbe } from "../../../services/runtime/probe.ts";
import {
  GATEWAY_ENDPOINTS,
  NEIGHBOURING_PATHS,
  OPERATOR_PATHS,
  PRIVATE_PATHS,
} from "../../edge/private-paths.ts";
import type { Check } from "../terms/verdict.ts";
import { askIdentity } from "./ask-identity.ts";
import { callHttp, callRpc, type HttpAnswer } from "./call-http.ts";
import { type Deployment, type Door, doorUrl, PUBLIC_SERVICES } from "./deployment.ts";
import { doubtful, failed, passed } from "./finding.ts";

/** Private paths, also in spellings that a proxy and a service may resolve differently. */
const NOT_PUBLIC = [
  ...PRIVATE_PATHS,
  ...NEIGHBOURING_PATHS,
  "//internal/gateway/revoked-tokens",
  "/./internal/gateway/revoked-tokens",
  "/%69nternal/gateway/revoked-tokens",
  "/gateway/../internal/gateway/revoked-tokens",
  "/gateway/realtime/../../internal/gateway/revoked-tokens",
  "/gateway/realtime%2f..%2f..%2finternal/gateway/revoked-tokens",
  "/.well-known/../internal/gateway/revoked-tokens",
  "/portcullis.auth.v1.AuthService/../internal/gateway/revoked-tokens",
  "/portcullis.auth.v1.AuthService/..%2f..%2finternal%2fgateway%2frevoked-tokens",
  "/internal/gateway/revoked-tokens?x=/gateway/realtime",
];

/** Endpoints that only the operator or another service may call. */
const GUARDED: readonly { service: Door; path: string }[] = [
  ...GATEWAY_ENDPOINTS.map((path) => ({ service: "auth" as const, path })),
  ...OPERATOR_PATHS.map((path) => ({ service: "authAdmin" as const, path })),
  { service: "auth", path: "/portcullis.identity.v1.IdentityService/WhoIsCalling" },
  { service: "limiter", path: "/portcullis.limiter.v1.LimiterService/Consume" },
  { service: "limiter", path: "/portcullis.limiter.v1.LimiterService/GetInfo" },
  { service: "limiter", path: "/portcullis.identity.v1.IdentityService/WhoIsCalling" },
  { service: "gatewayRpc", path: "/portcullis.realtime.v1.PublishService/Publish" },
  { service: "gatewayRpc", path: "/portcullis.realtime.v1.DependencyService/Check" },
  { service: "gatewayRpc", path: "/portcullis.identity.v1.IdentityService/WhoIsCalling" },
];

const CALLS_MAX = 8;
/** Calls without an answer usually share one cause; a longer list of names would hide it. */
const NAMED_MAX = 3;

/** Checks that no private path gets through the edge, by asking the services what reached them. */
export async function checkClosedAtEdge(deployment: Deployment): Promise<Check> {
  const subject = {
    id: "closed.edge",
    title: "Internal routes through the edge",
    why: "whoever reaches them from outside can guess service tokens and spend limits",
  };
  const results = await pLimit(CALLS_MAX).map(NOT_PUBLIC, async (path) => {
    return { path, reached: await reach(deployment, path) };
  });
  const open = results.filter(({ reached }) => reached !== "closed" && reached !== "unknown");
  if (open.length > 0) {
    const observed = open.map(({ path, reached }) => `${path} ${reached}`).join(", ");
    return failed(subject, observed, "render the edge anew: it answers 404 to what is not public");
  }
  const unknown = results.filter(({ reached }) => reached === "unknown");
  if (unknown.length > 0) {
    const paths = unknown.slice(0, NAMED_MAX).map(({ path }) => path);
    const more = unknown.length - paths.length;
    const observed = `no answer to ${paths.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
    return doubtful(subject, observed, "see that the edge and the services are up");
  }
  return passed(subject, `${results.length} spellings, all refused by the edge itself`);
}

async function reach(deployment: Deployment, path: string): Promise<string> {
  const { edgeUrl, operatorToken, signal } = deployment;
  if (operatorToken === undefined) return "unknown";
  const nonce = randomBytes(PROBE_NONCE_BYTES).toString("hex");
  const answer = await callHttp({
    url: edgeUrl,
    path,
    method: "POST",
    headers: [
      ["Content-Type", "application/json"],
      [PROBE_HEADER, signProbe(nonce, operatorToken)],
    ],
    body: "{}",
    signal,
  });
  if (answer.kind === "none") return "unknown";
  for (const name of PUBLIC_SERVICES) {
    const identity = await askIdentity(deployment, name, { probe: nonce });
    if (identity.kind === "identity") return `reached ${name}`;
    if (identity.kind === "unknown") return "unknown";
  }
  // The limiter remembers no probes, so only the status shows whether it was reached.
  return answer.status >= 400 && answer.status <= 404 && answer.status !== 401
    ? "closed"
    : `answered ${answer.status}`;
}

/** A door that has seen many wrong tokens answers 429 instead of 401. */
const REFUSED = new Set([401, 429]);

/** Checks that guarded endpoints, called directly, refuse every wrong token. */
export async function checkClosedDirectly(deployment: Deployment): Promise<Check> {
  const subject = {
    id: "closed.direct",
    title: "Guarded endpoints at the services' own addresses",
    why: "a network that is reached by mistake must not be enough",
  };
  const tokens: { label: string; token: string | undefined }[] = [
    { label: "no token", token: undefined },
    { label: "a wrong token", token: randomBytes(PROBE_NONCE_BYTES).toString("hex") },
  ];
  const operator = deployment.operatorToken?.reveal();
  const calls = GUARDED.flatMap(({ service, path }) => {
    // Endpoints for the gateway alone must refuse the operator's token, too.
    const isGatewayOnly = GATEWAY_ENDPOINTS.some((internal) => internal === path);
    const others = isGatewayOnly && operator !== undefined;
    const all = others ? [...tokens, { label: "the operator's token", token: operator }] : tokens;
    return all.map(({ label, token }) => ({ service, path, label, token }));
  });
  const results = await pLimit(CALLS_MAX).map(calls, async ({ service, path, label, token }) => {
    const url = doorUrl(deployment, service);
    const { signal } = deployment;
    const answer = await callRpc({ url, rpc: path.slice(1), token, signal });
    return { name: `${service}${path} with ${label}`, answer };
  });
  const open = results.filter(
    ({ answer }) => answer.kind === "answer" && !REFUSED.has(answer.status),
  );
  if (open.length > 0) {
    const observed = open
      .map(({ name, answer }) => `${name} answered ${statusOf(answer)}`)
      .join("; ");
    return failed(
      subject,
      observed,
      "every one of these must answer 401, or 429 after many wrong tokens",
    );
  }
  const silent = results.filter(({ answer }) => answer.kind === "none");
  if (silent.length > 0) {
    const names = silent.slice(0, NAMED_MAX).map(({ name }) => name);
    const more = silent.length - names.length;
    const observed = `no answer from ${names.join("; ")}${more > 0 ? ` and ${more} more` : ""}`;
    return doubtful(subject, observed, "probe from where the services can be reached");
  }
  return passed(subject, `${results.length} calls, each refused`);
}

function statusOf(answer: HttpAnswer): number {
  return answer.kind === "answer" ? answer.status : 0;
}
