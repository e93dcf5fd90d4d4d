import { fromJsonString } from "@bufbuild/protobuf";
import {
  Durability,
  type GetInfoResponse,
  GetInfoResponseSchema,
} from "../../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { answerText, callRpc } from "../../edge/probe/call-http.ts";
import { doubtful, failed, passed } from "../../edge/probe/check.ts";
import type { Deployment } from "../../edge/probe/deployment.ts";
import type { Check } from "../terms/verdict.ts";
import type { ServiceFacts } from "./gather-facts.ts";

export type LimiterInfo =
  | { kind: "info"; info: GetInfoResponse }
  | { kind: "unknown"; problem: string };

export async function askLimiterInfo(deployment: Deployment): Promise<LimiterInfo> {
  const { operatorToken, services, signal } = deployment;
  if (operatorToken === undefined) return { kind: "unknown", problem: "no operator token is set" };
  const answer = await callRpc({
    url: services.limiter,
    rpc: "portcullis.limiter.v1.LimiterService/GetInfo",
    token: operatorToken.reveal(),
    signal,
  });
  if (answer.kind === "none" || answer.status !== 200) {
    return { kind: "unknown", problem: answerText(answer) };
  }
  const options = { ignoreUnknownFields: true };
  return { kind: "info", info: fromJsonString(GetInfoResponseSchema, answer.body, options) };
}

const DURABILITY_TEXTS: Readonly<Record<Durability, string>> = {
  [Durability.UNSPECIFIED]: "unknown durability",
  [Durability.SYNCHRONOUS]: "synchronous",
  [Durability.ASYNCHRONOUS]: "asynchronous",
  [Durability.NONE]: "not durable",
};

/** Whether the limiter keeps its state, durably, in the backend that the environment files name. */
export function checkBackend(limiter: LimiterInfo, facts: readonly ServiceFacts[]): Check {
  const subject = {
    id: "limiter.backend",
    title: "Where the limiter keeps its state",
    why: "limits that another backend keeps are not shared, or forgotten at a restart",
  };
  if (limiter.kind === "unknown") {
    return doubtful(subject, `the limiter: ${limiter.problem}`, "start the limiter");
  }
  const wanted = new Set(
    facts.flatMap(({ file }) => (file ? [file["DB_BACKEND"] || "postgres"] : [])),
  );
  if (wanted.size === 0) wanted.add("postgres");
  const { backend, durability } = limiter.info;
  const observed = `${backend}, ${DURABILITY_TEXTS[durability]}; DB_BACKEND ${[...wanted].join(" and ")}`;
  if (wanted.size > 1 || !wanted.has(backend)) {
    return failed(
      subject,
      observed,
      "set SECURITY_LIMITER_BACKEND as DB_BACKEND, everywhere alike",
    );
  }
  if (durability !== Durability.SYNCHRONOUS) {
    return failed(subject, observed, "set LIMITER_SYNCHRONOUS_COMMIT=on: a crash forgets charges");
  }
  return passed(subject, observed);
}
