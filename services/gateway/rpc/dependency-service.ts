import { create, type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { ConsumeForwardedResponseSchema } from "../../../gen/portcullis/auth/v1/gateway_pb.ts";
import {
  Outcome,
  PeekRequestSchema,
  PeekResponseSchema,
} from "../../../gen/portcullis/limiter/v1/limiter_pb.ts";
import {
  type DependencySchema,
  DependencyService,
} from "../../../gen/portcullis/realtime/v1/dependency_pb.ts";
import { callerKey } from "../../runtime/caller.ts";
import type { Secret } from "../../runtime/secret.ts";
import { readAnswer, readIntrospection, readRevocationPage } from "../access/auth-answers.ts";
import { writeConsume, writeIntrospect, writePageRequest } from "../access/auth-questions.ts";
import { CONNECT_BY_IP } from "../access/policies.ts";

export type DependencyOptions = { authUrl: string; limiterUrl: string; token: Secret };

/** Longer than every deadline of the services asked, so that their own answer is reported. */
const CHECK_TIMEOUT_MS = 2_000;
/** The bucket that is charged belongs to nobody: its address is one for documentation (RFC 5737). */
const NOBODYS_BUCKET = { policy: CONNECT_BY_IP, key: "192.0.2.1" };

type Call = {
  name: string;
  url: URL;
  body: string;
  /** Whether the gateway could work with the answer. */
  isUsable(answer: string): boolean;
};

/** Lets the operator see which services this gateway reaches. Interceptors have named the caller. */
export function addDependencyService(router: ConnectRouter, options: DependencyOptions): void {
  router.service(DependencyService, {
    async check(_request, context) {
      if (context.values.get(callerKey) !== "operator") {
        throw new ConnectError("the operator's token is required", Code.PermissionDenied);
      }
      const calls = callsOf(options);
      const check = async (call: Call) => await checkCall(call, options.token);
      return { dependencies: await Promise.all(calls.map(check)) };
    },
  });
}

function callsOf({ authUrl, limiterUrl }: DependencyOptions): Call[] {
  const auth = (path: string) => new URL(`${authUrl}/internal/gateway/${path}`);
  return [
    {
      name: "datasource-introspect",
      url: auth("datasource-introspect"),
      body: writeIntrospect({ sessionToken: "dependency-check" }),
      isUsable: (answer) => readIntrospection(answer)?.kind === "inactive",
    },
    {
      name: "revoked-tokens",
      url: auth("revoked-tokens"),
      body: writePageRequest(null, 1),
      isUsable: (answer) => readRevocationPage(answer) !== undefined,
    },
    {
      name: "rate-limit-consume",
      url: auth("rate-limit/consume"),
      body: writeConsume({ ...NOBODYS_BUCKET, cost: 1 }),
      isUsable: (answer) =>
        readAnswer(ConsumeForwardedResponseSchema, answer)?.allowed !== undefined,
    },
    {
      name: "limiter",
      url: new URL(`${limiterUrl}/portcullis.limiter.v1.LimiterService/Peek`),
      body: toJsonString(
        PeekRequestSchema,
        create(PeekRequestSchema, { buckets: [NOBODYS_BUCKET] }),
      ),
      isUsable: (answer) => {
        const outcome = readAnswer(PeekResponseSchema, answer)?.decision?.outcome;
        return outcome === Outcome.ALLOWED || outcome === Outcome.REJECTED;
      },
    },
  ];
}

async function checkCall(
  call: Call,
  token: Secret,
): Promise<MessageInitShape<typeof DependencySchema>> {
  const startedMs = performance.now();
  const answer = await post(call, token);
  const latency = durationFromMs(Math.round(performance.now() - startedMs));
  return { name: call.name, latency, ok: answer.problem === "", ...answer };
}

async function post(call: Call, token: Secret): Promise<{ status: number; problem: string }> {
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

/** fetch puts the error of the connection into the cause. */
function problemText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
