import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { type Context, context, ROOT_CONTEXT, type Span, trace } from "@opentelemetry/api";
import {
  type BatchError,
  type BucketRequestSchema,
  type ConsumeRequest,
  ConsumeRequestSchema,
  type Decision,
  type LimiterService,
  NoDecisionSchema,
} from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { codeText } from "../../services/runtime/code-text.ts";
import type { BucketRequest } from "./bucket-request.ts";

/** One request of a call, with the trace context of its caller. */
export type Consume = { readonly buckets: readonly BucketRequest[]; readonly caller: Context };

/** The limiter's answer to one request. */
export type Answer = { decision: Decision | undefined } | { error: ConnectError };

export type CallOptions = { timeoutMs: number; signal: AbortSignal };

/** The most links that a span keeps. */
const LINKS_MAX = 128;

/**
 * Sends requests in one call and returns the answers in their order; rejects when the whole call
 * failed. The limiter is told the timeout, but on this side only `signal` ends the call.
 */
export async function sendConsumes(
  client: Client<typeof LimiterService>,
  consumes: readonly Consume[],
  { timeoutMs, signal }: CallOptions,
): Promise<readonly Answer[]> {
  const options = { signal, headers: { "connect-timeout-ms": String(timeoutMs) } };
  const [only] = consumes;
  if (only !== undefined && consumes.length === 1) {
    const call = () => client.consume(requestOf(only), options);
    const { decision } = await context.with(only.caller, call);
    return [{ decision }];
  }
  const requests = consumes.map(requestOf);
  const { results } = await withBatchSpan(consumes, () =>
    client.consumeBatch({ requests }, options),
  );
  if (results.length !== consumes.length) {
    throw new ConnectError("the limiter answered a batch of another length", Code.Internal);
  }
  return results.map(({ result }) =>
    result.case === "error" ? { error: errorOf(result.value) } : { decision: result.value },
  );
}

/** Gives a batch a trace of its own, linked to the trace of each request in it. */
async function withBatchSpan<T>(batch: readonly Consume[], call: () => Promise<T>): Promise<T> {
  const callers = batch.flatMap(({ caller }) => trace.getSpan(caller) ?? []);
  const span = trace
    .getTracer("portcullis.limiter.client")
    .startSpan("consume batch", { links: linksTo(callers) }, ROOT_CONTEXT);
  for (const caller of callers.slice(0, LINKS_MAX)) caller.addLink({ context: span.spanContext() });
  return await context.with(trace.setSpan(ROOT_CONTEXT, span), call).finally(() => span.end());
}

function linksTo(spans: readonly Span[]) {
  return spans.slice(0, LINKS_MAX).map((span) => ({ context: span.spanContext() }));
}

function requestOf({ buckets }: Consume): ConsumeRequest {
  return create(ConsumeRequestSchema, { buckets: buckets.map(bucketRequest) });
}

function bucketRequest({
  lease,
  ...bucket
}: BucketRequest): MessageInitShape<typeof BucketRequestSchema> {
  if (lease === undefined) return bucket;
  return { ...bucket, leaseId: lease.id, leaseTtl: durationFromMs(lease.ttlMs) };
}

/** Converts the error of one request of a batch; an unknown code becomes an internal error. */
function errorOf({ code: text, message, reason }: BatchError): ConnectError {
  const codes = Object.values(Code).filter((value) => typeof value === "number");
  const code = codes.find((candidate) => codeText(candidate) === text) ?? Code.Internal;
  const details = reason === "" ? [] : [{ desc: NoDecisionSchema, value: { reason } }];
  return new ConnectError(message, code, undefined, details);
}
