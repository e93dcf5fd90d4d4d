import { fromJsonString } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  CheckResponseSchema,
  type Dependency,
} from "../../../gen/portcullis/realtime/v1/dependency_pb.ts";
import { answerText, callRpc } from "../../edge/probe/call-http.ts";
import { doubtful, failed, passed } from "../../edge/probe/check.ts";
import { type Deployment, doorUrl } from "../../edge/probe/deployment.ts";
import type { Check } from "../terms/verdict.ts";

/** Whether the gateway reaches its dependencies with its own credential. */
export async function checkDependencies(deployment: Deployment): Promise<Check> {
  const subject = {
    id: "dependencies.gateway",
    title: "What the gateway relies on",
    why: "without any of them it refuses upgrades or subscriptions, or misses revocations",
  };
  const { operatorToken, signal } = deployment;
  if (operatorToken === undefined) {
    return doubtful(subject, "no operator token is set", "set the operator's token");
  }
  const answer = await callRpc({
    url: doorUrl(deployment, "gatewayRpc"),
    rpc: "portcullis.realtime.v1.DependencyService/Check",
    token: operatorToken.reveal(),
    signal,
  });
  const dependencies = answer.kind === "answer" ? readDependencies(answer.body) : [];
  if (dependencies.length === 0) {
    return doubtful(subject, `the gateway: ${answerText(answer)}`, "see that the gateway is up");
  }
  const broken = dependencies.filter(({ ok }) => !ok);
  if (broken.length > 0) {
    const observed = broken.map(({ name, problem }) => `${name}: ${problem}`).join("; ");
    const mend = "check AUTH_URL, LIMITER_URL and GATEWAY_SERVICE_TOKEN of the gateway";
    return failed(subject, observed, mend);
  }
  return passed(subject, dependencies.map(describe).join(", "));
}

function describe({ name, status, latency }: Dependency): string {
  const ms = latency === undefined ? "?" : Math.round(durationMs(latency));
  return `${name} ${status} in ${ms} ms`;
}

function readDependencies(body: string): readonly Dependency[] {
  try {
    const options = { ignoreUnknownFields: true };
    return fromJsonString(CheckResponseSchema, body, options).dependencies;
  } catch {
    return [];
  }
}
