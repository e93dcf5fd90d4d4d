import { randomBytes } from "node:crypto";
import { PROBE_HEADER, PROBE_NONCE_BYTES, signProbe } from "../../../services/runtime/probe.ts";
import type { HeaderLine } from "../spoof.ts";
import { askIdentity, type Identity } from "./ask-identity.ts";
import { answerText, callHttp } from "./call-http.ts";
import type { Deployment } from "./deployment.ts";
import { harmlessCall, type PublicRoute } from "./public-route.ts";

/** What became of one request through the edge. */
export type ProbeResult =
  | Identity
  /** It never reached the service. */
  | { kind: "refused"; status: number }
  | { kind: "unknown"; problem: string };

/** Answers that proxies give themselves when they do not like a request. */
const REFUSALS = new Set([400, 403, 404, 405, 414, 431, 501]);

/** Sends one request through the edge and asks the service behind it whom it took it for. */
export async function sendProbe(
  deployment: Deployment,
  route: PublicRoute,
  headers: readonly HeaderLine[],
): Promise<ProbeResult> {
  const { operatorToken, edgeUrl, signal } = deployment;
  if (operatorToken === undefined) return { kind: "unknown", problem: "no operator token is set" };
  const nonce = randomBytes(PROBE_NONCE_BYTES).toString("hex");
  const probe: HeaderLine = [PROBE_HEADER, signProbe(nonce, operatorToken)];
  const call = harmlessCall(edgeUrl, route, [...headers, probe]);
  const answer = await callHttp({ ...call, signal });
  if (answer.kind === "none") return { kind: "unknown", problem: answer.problem };
  const identity = await askIdentity(deployment, route.service, { probe: nonce });
  if (identity.kind !== "unseen") return identity;
  if (REFUSALS.has(answer.status)) return { kind: "refused", status: answer.status };
  return {
    kind: "unknown",
    problem: `the edge answered with ${answerText(answer)}, but ${route.service} at its direct address has not seen the request`,
  };
}
