import { create } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import {
  type BatchError,
  type ConsumeRequest,
  ConsumeRequestSchema,
  type Decision,
  type LimiterService,
} from "../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { codeText } from "../../services/runtime/code-text.ts";
import type { Bucket } from "./verdict.ts";

/** Calls under way at once; what comes meanwhile travels together in the next one. */
const CALLS_MAX = 4;
/** As many requests as the limiter takes in one batch. */
const BATCH_MAX = 1_000;
/** More than the limiter could decide before their deadline. */
const QUEUE_MAX = 10_000;

type Waiting = {
  request: ConsumeRequest;
  isSettled: boolean;
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
      throw new ConnectError("too many requests wait for the limiter", Code.Unavailable);
    }
    const request = create(ConsumeRequestSchema, { buckets: [...buckets] });
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
        const response = await this.#client.consume(only.request, { timeoutMs: this.#timeoutMs });
        only.resolve(response.decision);
        return;
      }
      const requests = batch.map((waiting) => waiting.request);
      const { results } = await this.#client.consumeBatch(
        { requests },
        { timeoutMs: this.#timeoutMs },
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

/** The error of one request of a batch; a code that does not exist is an internal error. */
function errorOf(error: BatchError): ConnectError {
  const codes = Object.values(Code).filter((value) => typeof value === "number");
  const code = codes.find((candidate) => codeText(candidate) === error.code);
  return new ConnectError(error.message, code ?? Code.Internal);
}
