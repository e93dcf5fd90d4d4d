import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import {
  type BucketRequest,
  BucketRequestSchema,
  type ConsumeRequest,
  type ConsumeResultSchema,
  type DecisionSchema,
  type GetInfoResponseSchema,
  type LimiterService,
  NoDecisionSchema,
} from "../../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { callerKey } from "../../runtime/caller.ts";
import { codeText } from "../../runtime/code-text.ts";
import type { Secret } from "../../runtime/secret.ts";
import type { BucketDirectory } from "../decisions/bucket-directory.ts";
import type { Idempotency } from "../decisions/consume-operation.ts";
import type { Decision, Demand } from "../decisions/decision.ts";
import type { Limiter } from "../decisions/limiter.ts";
import { NoDecisionError } from "../engine/no-decision.ts";
import { createKeyedDigest, type KeyedDigest, plainDigest } from "../store/key-digest.ts";
import type { RowId } from "../store/store.ts";
import { mayConsume } from "./callers.ts";
import { type ReadDemands, type Refusal, readDemands } from "./read-demands.ts";
import { findLeaseIdsProblem, readTtlMs, TTL_PROBLEM } from "./read-leases.ts";
import { Receipts } from "./receipt.ts";
import { createTurns } from "./turns.ts";
import { writeDecision } from "./write-decision.ts";

/** As many as the proto allows. */
const BATCH_MAX = 1_000;
/**
 * As many as the proto allows: when all of them are new, their rows are made within the time that a
 * decision may take, by a database that has other work too.
 */
const BATCH_BUCKETS_MAX = 4_000;
const IDEMPOTENCY_KEY_BYTES_MAX = 128;

type Dependencies = {
  limiter: Limiter;
  directory: BucketDirectory;
  salts: readonly [Secret, ...Secret[]];
  info: MessageInitShape<typeof GetInfoResponseSchema>;
  /** Told of every bucket that an operator has reset; the database keeps a record of its own. */
  onReset: (caller: string, policy: string, reset: boolean) => void;
};

/** The RPCs of the limiter. */
export function createLimiterService(
  dependencies: Dependencies,
): ServiceImpl<typeof LimiterService> {
  const { limiter, directory, salts, info, onReset } = dependencies;
  const digests = salts.map(createKeyedDigest);
  const receipts = new Receipts(salts);
  const turns = createTurns();

  const leaseIdsOf = (caller: string, leaseId: string) =>
    digests.map((digest) => digest(`lease\n${caller}\n${leaseId}`));

  const leaseIdOfCaller = (caller: string) => (leaseId: string) =>
    leaseIdsOf(caller, leaseId)[0] ?? "";

  /** Answers the leases that are not held under any salt. */
  const changeLeases = async (
    leaseIds: readonly string[],
    caller: string,
    ttlMs: number | undefined,
  ): Promise<string[]> => {
    const ids = new Map(leaseIds.map((leaseId) => [leaseId, leaseIdsOf(caller, leaseId)]));
    const lost = await limiter.changeLeases([...ids.values()].flat(), ttlMs);
    return [...ids]
      .filter(([, all]) => all.every((id) => lost.has(id)))
      .map(([leaseId]) => leaseId);
  };

  const consume = async (
    buckets: readonly BucketRequest[],
    caller: string,
    idempotency: Idempotency | undefined,
    prefixOf?: () => string,
  ): Promise<Decision> => {
    const leaseIdOf = leaseIdOfCaller(caller);
    const demands = orRefuse(
      readDemands({ buckets, caller, directory, leaseIdOf, ...(prefixOf && { prefixOf }) }),
    );
    const decision = await decided(limiter.consume(demands, idempotency));
    if (decision === "key-reused") {
      throw invalidArgument("idempotencyKey: was used for another request");
    }
    return decision;
  };

  const consumeRequest = async (request: ConsumeRequest, caller: string) =>
    await consume(request.buckets, caller, readIdempotency(request, caller, digests));

  /** Requests of a batch come at once, so that which of two has used a key first is told here. */
  const consumeRequests = (requests: readonly ConsumeRequest[], caller: string) => {
    const bodies = new Map<string, RowId>();
    return requests.map(async (request) => {
      const idempotency = readIdempotency(request, caller, digests);
      if (idempotency === undefined) return await consume(request.buckets, caller, undefined);
      const { id, body } = idempotency;
      const first = bodies.get(id) ?? body;
      bodies.set(id, first);
      if (first !== body) {
        throw invalidArgument("idempotencyKey: is used for another request of this batch");
      }
      return await consume(request.buckets, caller, idempotency);
    });
  };

  const write = (decision: Decision) => {
    const { charged } = decision;
    const receipt = charged === undefined ? "" : receipts.write(charged);
    return writeDecision(decision, receipt);
  };

  return {
    async consume(request, context) {
      const caller = context.values.get(callerKey);
      return { decision: write(await consumeRequest(request, caller)) };
    },

    async consumeBatch(request, context) {
      const caller = context.values.get(callerKey);
      const { requests } = request;
      if (requests.length < 1 || requests.length > BATCH_MAX) {
        throw invalidArgument(`requests: must be 1 to ${BATCH_MAX}`);
      }
      const bucketCount = requests.reduce((count, { buckets }) => count + buckets.length, 0);
      if (bucketCount > BATCH_BUCKETS_MAX) {
        throw invalidArgument(`requests: name more than ${BATCH_BUCKETS_MAX} buckets in all`);
      }
      await turns.take();
      const outcomes = await Promise.allSettled(consumeRequests(requests, caller));
      await turns.take();
      return { results: outcomes.map((outcome) => writeResult(outcome, write)) };
    },

    async peek(request, context) {
      const caller = context.values.get(callerKey);
      const { buckets } = request;
      const leaseIdOf = leaseIdOfCaller(caller);
      const demands = orRefuse(
        readDemands({ buckets, caller, directory, leaseIdOf, isPeek: true }),
      );
      return { decision: writeDecision(await decided(limiter.peek(demands)), "") };
    },

    async refund(request, context) {
      const receipt = receipts.read(request.receipt);
      if (receipt === undefined) throw invalidArgument("receipt: is not one of this limiter");
      const caller = context.values.get(callerKey);
      const stranger = receipt.entries.find(({ policy }) => !mayConsume(caller, policy));
      if (stranger !== undefined) {
        throw new ConnectError(
          `receipt: ${stranger.policy} is not for ${caller}`,
          Code.PermissionDenied,
        );
      }
      const { policies } = request;
      const named = receipt.entries.filter(
        ({ policy }) => policies.length === 0 || policies.includes(policy),
      );
      const entries = named.flatMap((entry) => {
        const policy = directory.findPolicy(entry);
        const { bucketId, charge } = entry;
        return policy === undefined ? [] : [{ bucketId, policy, charge }];
      });
      return { refunded: await decided(limiter.refund(receipt.id, entries)) };
    },

    async reset(request, context) {
      const caller = context.values.get(callerKey);
      if (caller !== "operator") {
        throw new ConnectError("only the operator may reset a bucket", Code.PermissionDenied);
      }
      const found = directory.find(request.policy, request.key, request.doubtful);
      if (found.kind === "unknown-policy") {
        throw new ConnectError("policy: no such policy", Code.NotFound);
      }
      if (found.kind === "bad-key") throw invalidArgument(`key: ${found.problem}`);
      const reset = await decided(limiter.reset(found.target, caller));
      onReset(caller, found.target.policy.name, reset);
      return { reset };
    },

    async acquire(request, context) {
      const caller = context.values.get(callerKey);
      const bucket = create(BucketRequestSchema, {
        policy: request.policy,
        key: request.key,
        doubtful: request.doubtful,
        leaseId: request.leaseId,
        ...(request.ttl === undefined ? {} : { leaseTtl: request.ttl }),
      });
      return { decision: write(await consume([bucket], caller, undefined, () => "")) };
    },

    async renew(request, context) {
      const caller = context.values.get(callerKey);
      const { leaseIds } = request;
      const problem = findLeaseIdsProblem(leaseIds);
      if (problem !== undefined) throw invalidArgument(problem);
      const ttlMs = readTtlMs(request.ttl);
      if (ttlMs === undefined) throw invalidArgument(`ttl: ${TTL_PROBLEM}`);
      return { lost: await decided(changeLeases(leaseIds, caller, ttlMs)) };
    },

    async release(request, context) {
      const caller = context.values.get(callerKey);
      const { leaseIds } = request;
      const problem = findLeaseIdsProblem(leaseIds);
      if (problem !== undefined) throw invalidArgument(problem);
      await decided(changeLeases(leaseIds, caller, undefined));
      return {};
    },

    getInfo: () => info,
  };
}

function readIdempotency(
  request: ConsumeRequest,
  caller: string,
  [digest]: readonly KeyedDigest[],
): Idempotency | undefined {
  const { idempotencyKey } = request;
  if (idempotencyKey === "" || digest === undefined) return undefined;
  if (Buffer.byteLength(idempotencyKey) > IDEMPOTENCY_KEY_BYTES_MAX) {
    throw invalidArgument(`idempotencyKey: is longer than ${IDEMPOTENCY_KEY_BYTES_MAX} bytes`);
  }
  return {
    id: digest(`answer\n${caller}\n${idempotencyKey}`),
    body: plainDigest(bodyOf(request)),
  };
}

/** What makes two requests the same. */
function bodyOf({ buckets }: ConsumeRequest): string {
  return JSON.stringify(
    buckets.map((bucket) => [
      bucket.policy,
      bucket.key,
      bucket.cost ?? 1,
      bucket.doubtful,
      bucket.leaseId,
      bucket.leaseTtl === undefined ? "" : `${bucket.leaseTtl.seconds}.${bucket.leaseTtl.nanos}`,
    ]),
  );
}

function orRefuse(read: ReadDemands): readonly Demand[] {
  if (read.kind === "refused") throw refusalError(read.refusal);
  return read.demands;
}

function refusalError({ code, message }: Refusal): ConnectError {
  return new ConnectError(message, code);
}

function invalidArgument(message: string): ConnectError {
  return new ConnectError(message, Code.InvalidArgument);
}

/** Turns "nobody could decide" into the error that callers apply their failure mode to. */
async function decided<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    if (!(error instanceof NoDecisionError)) throw error;
    const detail = { desc: NoDecisionSchema, value: { reason: error.reason } };
    throw new ConnectError(error.message, Code.Unavailable, undefined, [detail], error);
  }
}

function writeResult(
  outcome: PromiseSettledResult<Decision>,
  write: (decision: Decision) => MessageInitShape<typeof DecisionSchema>,
): MessageInitShape<typeof ConsumeResultSchema> {
  if (outcome.status === "fulfilled") {
    return { result: { case: "decision", value: write(outcome.value) } };
  }
  const error: unknown = outcome.reason;
  if (!(error instanceof ConnectError)) throw error;
  const reason = error.findDetails(NoDecisionSchema)[0]?.reason ?? "";
  const value = { code: codeText(error.code), message: error.rawMessage, reason };
  return { result: { case: "error", value } };
}
