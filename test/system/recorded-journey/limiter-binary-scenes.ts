import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import * as limiter from "../../../gen/portcullis/limiter/v1/limiter_pb.ts";
import { limiterRpc as rpc } from "./limiter-rpc.ts";
import type { Recorder, Step } from "./recorder.ts";

/** Records every RPC of the limiter in binary. */
export async function recordLimiterBinary({ send }: Recorder): Promise<void> {
  const bucket = { policy: "journey.bucket", key: "binary" };
  const buckets = [bucket];
  const ttl = { seconds: 30n };
  const lease = { policy: "journey.leases", key: "binary", leaseId: "binary", ttl };
  const leaseIds = ["binary", "noise"];
  const steps: [string, Step][] = [
    [
      "Consume",
      binary("Consume", [limiter.ConsumeRequestSchema, { buckets }], limiter.ConsumeResponseSchema),
    ],
    [
      "ConsumeBatch",
      binary(
        "ConsumeBatch",
        [limiter.ConsumeBatchRequestSchema, { requests: [{ buckets }, {}] }],
        limiter.ConsumeBatchResponseSchema,
      ),
    ],
    ["Peek", binary("Peek", [limiter.PeekRequestSchema, { buckets }], limiter.PeekResponseSchema)],
    [
      "Refund",
      binary(
        "Refund",
        [limiter.RefundRequestSchema, { receipt: "noise" }],
        limiter.RefundResponseSchema,
      ),
    ],
    ["Reset", binary("Reset", [limiter.ResetRequestSchema, bucket], limiter.ResetResponseSchema)],
    [
      "Acquire",
      binary("Acquire", [limiter.AcquireRequestSchema, lease], limiter.AcquireResponseSchema),
    ],
    [
      "Renew",
      binary("Renew", [limiter.RenewRequestSchema, { leaseIds, ttl }], limiter.RenewResponseSchema),
    ],
    [
      "Release",
      binary(
        "Release",
        [limiter.ReleaseRequestSchema, { leaseIds }],
        limiter.ReleaseResponseSchema,
      ),
    ],
    [
      "GetInfo",
      binary("GetInfo", [limiter.GetInfoRequestSchema, {}], limiter.GetInfoResponseSchema),
    ],
  ];
  for (const [method, step] of steps) await send(`${method} in binary`, step);
}

function binary<Desc extends DescMessage>(
  method: string,
  request: readonly [Desc, MessageInitShape<Desc>],
  answers: DescMessage,
): Step {
  const [schema, init] = request;
  const headers = { "content-type": "application/proto" };
  return rpc(method, toBinary(schema, create(schema, init)), { headers, answers });
}
