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
import type { Bucket } from "./verdict.ts";

/** Calls under way at once; what comes meanwhile travels together in the next one. */
const CALLS_MAX = 4;
/** As many requests as the limiter takes in one batch. */
const BATCH_MAX = 1_000;
/** More than the limiter could decide before their deadline. */
const QUEUE_MAX = 10_000;
/** As many links as a span keeps. */
const LINKS_MAX = 128;

type Waiting = {
  request: ConsumeRequest;
  isSettled: boolean;
  /** The trace of whoever consumes. */
  caller: Context;
  resolve(decision: Decision | undefined): void;
  reject(error: unknown): void;
};

/**
 * Sends consumes to the limiter: one by one while there is room, in batches under load. A request
 * waits at most `timeoutMs`, including its time in the queue.
 */
export class Coalescer {
  readonly #client: Client<typeof LimiterService>;
  readonly #timeoutMs: number;
  readonly #queue: Waiting[] = [];
  #calls = 0;

  constructor(client: Client<typeof LimiterService>, timeoutMs: number) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
  }

  /** Resolves to what the limiter answered, rejects with a ConnectError. */
  async consume(buckets: readonly Bucket[]): Promise<Decision | undefined> {
    if (this.#queue.length >= QUEUE_MAX) {
      throw overloaded("too many requests wait for the limiter");
    }
    const request = create(ConsumeRequestSchema, { buckets: buckets.map(bucketRequest) });
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.reject(
          new ConnectError("the limiter did not answer in time", Code.DeadlineExceeded),
        );
      }, this.#timeoutMs);
      const settle = () => {
        waiting.isSettled = true;
        clearTimeout(timer);
      };
      const waiting: Waiting = {
        request,
        isSettled: false,
        caller: context.active(),
        resolve: (decision) => {
          settle();
          resolve(decision);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      this.#queue.push(waiting);
      this.#send();
    });
  }

  #send(): void {
    while (this.#calls < CALLS_MAX && this.#queue.length > 0) {
      const batch = this.#queue.splice(0, BATCH_MAX).filter((waiting) => !waiting.isSettled);
      if (batch.length === 0) continue;
      this.#calls++;
      void this.#call(batch).finally(() => {
        this.#calls--;
        this.#send();
      });
    }
  }

  async #call(batch: readonly Waiting[]): Promise<void> {
    try {
      const [only] = batch;
      if (only !== undefined && batch.length === 1) {
        const response = await context.with(only.caller, () =>
          this.#client.consume(only.request, { timeoutMs: this.#timeoutMs }),
        );
        only.resolve(response.decision);
        return;
      }
      const requests = batch.map((waiting) => waiting.request);
      const { results } = await withBatchSpan(batch, () =>
        this.#client.consumeBatch({ requests }, { timeoutMs: this.#timeoutMs }),
      );
      if (results.length !== batch.length) {
        throw new ConnectError("the limiter answered a batch of another length", Code.Internal);
      }
      for (const [index, waiting] of batch.entries()) {
        const result = results[index]?.result;
        if (result?.case === "error") waiting.reject(errorOf(result.value));
        else waiting.resolve(result?.value);
      }
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    }
  }
}

/** A batch belongs to no single request: it is a trace of its own, linked to each of theirs. */
async function withBatchSpan<T>(batch: readonly Waiting[], call: () => Promise<T>): Promise<T> {
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

function bucketRequest({ lease, ...bucket }: Bucket): MessageInitShape<typeof BucketRequestSchema> {
  if (lease === undefined) return bucket;
  return { ...bucket, leaseId: lease.id, leaseTtl: durationFromMs(lease.ttlMs) };
}

/** The error of one request of a batch; a code that does not exist is an internal error. */
function errorOf(error: BatchError): ConnectError {
  const codes = Object.values(Code).filter((value) => typeof value === "number");
  const code = codes.find((candidate) => codeText(candidate) === error.code);
  return new ConnectError(error.message, code ?? Code.Internal, undefined, detailsOf(error.reason));
}

/** Too much to do here says as little about the limiter as too much to do there. */
function overloaded(message: string): ConnectError {
  return new ConnectError(message, Code.Unavailable, undefined, detailsOf("overloaded"));
}

function detailsOf(reason: string) {
  return reason === "" ? [] : [{ desc: NoDecisionSchema, value: { reason } }];
}
