import { create, toJsonString } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { ConsumeForwardedResponseSchema } from "../../../gen/portcullis/auth/v1/gateway_pb.ts";
import {
  Outcome,
  PeekRequestSchema,
  PeekResponseSchema,
} from "../../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { DependencyService } from "../../../gen/portcullis/realtime/v1/dependency_pb.ts";
import { callerKey } from "../../runtime/caller.ts";
import type { Secret } from "../../runtime/secret.ts";
import { readAnswer, readIntrospection, readRevocationPage } from "../access/auth-answers.ts";
import { writeConsume, writeIntrospect, writePageRequest } from "../access/auth-questions.ts";
import { CONNECT_BY_IP } from "../access/policies.ts";
import { checkDependency, type DependencyCall } from "./check-dependency.ts";

export type DependencyOptions = { authUrl: string; limiterUrl: string; token: Secret };

/** The bucket that is charged belongs to nobody: its address is one for documentation (RFC 5737). */
const NOBODYS_BUCKET = { policy: CONNECT_BY_IP, key: "192.0.2.1" };

/** Shows the operator what this gateway reaches. The interceptors have identified the caller. */
export function addDependencyService(router: ConnectRouter, options: DependencyOptions): void {
  router.service(DependencyService, {
    async check(_request, context) {
      if (context.values.get(callerKey) !== "operator") {
        throw new ConnectError("the operator's token is required", Code.PermissionDenied);
      }
      const checks = callsOf(options).map((call) => checkDependency(call, options.token));
      return { dependencies: await Promise.all(checks) };
    },
  });
}

function callsOf({ authUrl, limiterUrl }: DependencyOptions): DependencyCall[] {
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
