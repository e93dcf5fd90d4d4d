import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { DependencySchema } from "../../../gen/portcullis/realtime/v1/dependency_pb.ts";
import type { Secret } from "../../runtime/secret.ts";

/** A call to a dependency, and what its answer must be like. */
export type DependencyCall = {
  name: string;
  url: URL;
  /** In JSON. */
  body: string;
  /** Whether the gateway could work with this answer. */
  isUsable(answer: string): boolean;
};

/** Above every deadline of the dependencies, so that the check reports their own answer. */
const CHECK_TIMEOUT_MS = 2_000;

/** Makes one call and reports its answer and how long it took. */
export async function checkDependency(
  call: DependencyCall,
  token: Secret,
): Promise<MessageInitShape<typeof DependencySchema>> {
  const startedMs = performance.now();
  const answer = await post(call, token);
  const latency = durationFromMs(Math.round(performance.now() - startedMs));
  return { name: call.name, latency, ok: answer.problem === "", ...answer };
}

async function post(
  call: DependencyCall,
  token: Secret,
): Promise<{ status: number; problem: string }> {
  let status = 0;
  try {
    const response = await fetch(call.url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: `Bearer ${token.reveal()}`,
      },
      body: call.body,
      redirect: "error",
      signal: AbortSignal.timeout(CHECK_TIMEOUT_MS),
    });
    status = response.status;
    const text = await response.text();
    if (status !== 200) return { status, problem: `answered ${status}` };
    return { status, problem: call.isUsable(text) ? "" : "answered nothing usable" };
  } catch (error) {
    return { status, problem: problemText(error) };
  }
}

/** What fetch threw; an error of the connection is in its cause. */
function problemText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
