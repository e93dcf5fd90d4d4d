import { randomBytes } from "node:crypto";
import pLimit from "p-limit";
import { PROBE_HEADER, PROBE_NONCE_BYTES, signProbe } from "../../../services/runtime/probe.ts";
import { NEIGHBOURING_PATHS, PRIVATE_PATHS } from "../private-paths.ts";
import { askIdentity } from "./ask-identity.ts";
import { callHttp } from "./call-http.ts";
import { callHttp2 } from "./call-http2.ts";
import { type Check, doubtful, failed, passed } from "./check.ts";
import { type Deployment, PUBLIC_SERVICES } from "./deployment.ts";

/** What must stay inside, also when it is spelled so that a proxy and a service disagree on it. */
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

const CALLS_MAX = 8;
/** One cause keeps all of them from answering; more names than this hide it. */
const NAMED_MAX = 3;

/** Nothing but the browser's routes gets through the edge; asked of the services themselves. */
export async function checkClosedAtEdge(
  deployment: Deployment,
  protocol: "HTTP/1.1" | "HTTP/2" = "HTTP/1.1",
): Promise<Check> {
  const isHttp2 = protocol === "HTTP/2";
  const subject = {
    id: isHttp2 ? "closed.edge.http2" : "closed.edge",
    title: `Internal routes through the edge${isHttp2 ? " over HTTP/2" : ""}`,
    why: "whoever reaches them from outside can guess service tokens and spend limits",
  };
  const results = await pLimit(CALLS_MAX).map(NOT_PUBLIC, async (path) => {
    return { path, reached: await reach(deployment, path, isHttp2 ? callHttp2 : callHttp) };
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

async function reach(deployment: Deployment, path: string, send: typeof callHttp): Promise<string> {
  const { edgeUrl, operatorToken, signal } = deployment;
  if (operatorToken === undefined) return "unknown";
  const nonce = randomBytes(PROBE_NONCE_BYTES).toString("hex");
  const answer = await send({
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
  // The limiter remembers no probes; its answers give it away.
  return answer.status >= 400 && answer.status <= 404 && answer.status !== 401
    ? "closed"
    : `answered ${answer.status}`;
}
