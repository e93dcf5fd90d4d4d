import { randomBytes } from "node:crypto";
import pLimit from "p-limit";
import { PROBE_NONCE_BYTES } from "../../../services/runtime/probe.ts";
import { GATEWAY_ENDPOINTS, OPERATOR_PATHS } from "../../edge/private-paths.ts";
import { callRpc, type HttpAnswer } from "../../edge/probe/call-http.ts";
import { doubtful, failed, passed } from "../../edge/probe/check.ts";
import { type Deployment, type Door, doorUrl } from "../../edge/probe/deployment.ts";
import type { Check } from "../terms/verdict.ts";

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
